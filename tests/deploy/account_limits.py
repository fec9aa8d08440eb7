"""Limits of an account in moto, which does not tell those of Lambda and RDS."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from moto.awslambda import urls
from moto.awslambda.responses import LambdaResponse
from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

# The limits by account: Lambda's concurrent executions, and the used databases of 40.
EXECUTIONS: defaultdict[str, int] = defaultdict(lambda: 1000)
DATABASES: defaultdict[str, int] = defaultdict(int)


def _account_settings(self: LambdaResponse) -> str:
    most = EXECUTIONS[self.current_account]
    return json.dumps({"AccountLimit": {"ConcurrentExecutions": most, "UnreservedConcurrentExecutions": most}})


def _account_attributes(self: RDSResponse) -> ActionResult:
    quotas = [{"AccountQuotaName": "DBInstances", "Used": DATABASES[self.current_account], "Max": 40}]
    return ActionResult({"AccountQuotas": quotas})


_urls: dict[str, Any] = urls.url_paths
_urls[r"{0}/(?P<api_version>[^/]+)/account-settings/?$"] = LambdaResponse.dispatch
for _class, _name, _method in (
    (LambdaResponse, "get_account_settings", _account_settings),
    (RDSResponse, "describe_account_attributes", _account_attributes),
):
    setattr(_class, _name, _method)
