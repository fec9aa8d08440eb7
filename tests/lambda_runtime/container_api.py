"""The API as API Gateway calls it, in a container, beside scheduled and invoked functions."""

from __future__ import annotations

from typing import Any

from tests.e2e.lambda_api import LambdaApi
from tests.lambda_runtime.container import Container

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-01-01T00:00:00Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:events:eu-central-1:123456789012:rule/compact"],
    "detail": {},
}


class ContainerApi(LambdaApi):
    def __init__(self, container: Container) -> None:
        super().__init__()
        self.container = container

    def handle(self, sent: dict[str, Any]) -> Any:
        return self.container.invoke(sent)
