"""Limits of an account, which moto does not have for Lambda and RDS."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

# The limits by account: Lambda's concurrent executions, and the used databases of 40.
EXECUTIONS: defaultdict[str, int] = defaultdict(lambda: 1000)
DATABASES: defaultdict[str, int] = defaultdict(int)


def add_to_moto() -> None:
    # These modules take seconds to import.
    from moto.awslambda import urls
    from moto.awslambda.responses import LambdaResponse
    from moto.core.responses import ActionResult
    from moto.rds.responses import RDSResponse

    def account_settings(self: LambdaResponse) -> str:
        most = EXECUTIONS[self.current_account]
        return json.dumps({"AccountLimit": {"ConcurrentExecutions": most, "UnreservedConcurrentExecutions": most}})

    def account_attributes(self: RDSResponse) -> ActionResult:
        quotas = [{"AccountQuotaName": "DBInstances", "Used": DATABASES[self.current_account], "Max": 40}]
        return ActionResult({"AccountQuotas": quotas})

    paths: dict[str, Any] = urls.url_paths
    paths[r"{0}/(?P<api_version>[^/]+)/account-settings/?$"] = LambdaResponse.dispatch
    methods = {LambdaResponse: account_settings, RDSResponse: account_attributes}
    for responses, name in ((LambdaResponse, "get_account_settings"), (RDSResponse, "describe_account_attributes")):
        setattr(responses, name, methods[responses])
