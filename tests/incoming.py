"""Messages of S3 in an event of SQS, as the function that takes in pictures gets them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/ways-to-add-notification-config-to-bucket.html
TEST_MESSAGE = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "face-search-incoming"}
PRINCIPAL = "AWS:AIDAEXAMPLE"


def arrived(*keys: str) -> dict[str, Any]:
    """Return the event for objects that were put into the bucket.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    return event({"Records": [_record(key) for key in keys]})


def event(body: Any) -> dict[str, Any]:
    """Return an event with one message: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    return {
        "Records": [
            {
                "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:face-search-dev-IncomingQueue",
                "awsRegion": "eu-central-1",
            }
        ]
    }


def _record(key: str) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": PRINCIPAL},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "incoming",
            "bucket": {"name": "face-search-incoming", "arn": "arn:aws:s3:::face-search-incoming"},
            "object": {"key": quote_plus(key, safe="/"), "size": 1024, "sequencer": "0055AED6DCD90281E5"},
        },
    }
