"""Pictures by S3 in the template: a bucket, its queues and the function that reads them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from chalicelib.incoming import paths
from chalicelib.settings import Settings
from chalicelib.stores.aws.chosen_tokens import KEPT_SECONDS
from tests.template.resolved import Resolved, Template
from tests.template.test_roles import CROPS, GRANTED, ROWS, _database, _granted, _log, _on

QUEUE, BUCKET = {"Fn::GetAtt": ["IncomingQueue", "Arn"]}, {"Fn::GetAtt": ["IncomingBucket", "Arn"]}
PICTURES, RESULTS = (f"${{IncomingBucket.Arn}}/{prefix}*" for prefix in (paths.PICTURES, paths.RESULTS))
TEMPORARY, FACES, SEGMENTS = (f"${{CropsBucket.Arn}}/{prefix}/*" for prefix in ("temporary", "faces", "segments"))
DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def incoming(template: Template) -> Resolved:
    return Resolved(template, {"Incoming": "true"})


def test_there_is_none_unless_a_stage_asks_for_it(stack: Resolved) -> None:
    assert [name for name in stack.resources if name.startswith(("Incoming", "Intake"))] == ["IntakeRole"]


def test_messages_go_from_the_bucket_to_the_queue(incoming: Resolved) -> None:
    [sent] = incoming.properties("IncomingBucket")["NotificationConfiguration"]["QueueConfigurations"]
    [allowed, denied] = incoming.properties("IncomingQueuePolicy")["PolicyDocument"]["Statement"]

    assert (sent["Event"], sent["Queue"]) == ("s3:ObjectCreated:*", QUEUE)
    assert sent["Filter"] == {"S3Key": {"Rules": [{"Name": "prefix", "Value": paths.PICTURES}]}}
    assert incoming.resources["IncomingBucket"]["DependsOn"] == "IncomingQueuePolicy"
    assert (allowed["Principal"], allowed["Action"]) == ({"Service": "s3.amazonaws.com"}, "sqs:SendMessage")
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_queues_policy_names_the_bucket_as_cloudformation_does(incoming: Resolved) -> None:
    """A bucket without a name gets the stack's name, its logical id and twelve random characters, in lower case."""
    allowed = incoming.properties("IncomingQueuePolicy")["PolicyDocument"]["Statement"][0]
    pattern = allowed["Condition"]["ArnLike"]["aws:SourceArn"]

    assert "BucketName" not in incoming.properties("IncomingBucket")
    name = f"{incoming.parameters['AWS::StackName']}-IncomingBucket-0123456789ab".lower()
    assert fnmatchcase(f"arn:${{AWS::Partition}}:s3:::{name}", pattern)
    assert not fnmatchcase("arn:${AWS::Partition}:s3:::face-search-dev-cropsbucket-0123456789ab", pattern)
    assert len(f"face-search-{'a' * 20}-incomingbucket-0123456789ab") <= 63  # S3's limit


def test_the_function_reads_the_queue_one_message_at_a_time(incoming: Resolved) -> None:
    mapping, function = incoming.properties("IncomingMessages"), incoming.properties("Intake")
    queue = incoming.properties("IncomingQueue")

    assert (mapping["EventSourceArn"], mapping["FunctionName"], mapping["BatchSize"]) == (QUEUE, {"Ref": "Intake"}, 1)
    assert function["Handler"] == "app.intake"
    # "Configuring scaling behavior for SQS event source mappings": throttled messages would count as received.
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == function["ReservedConcurrentExecutions"] == 2
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    settings = Settings.from_environment({"REQUEST_SECONDS": function["Environment"]["Variables"]["REQUEST_SECONDS"]})
    assert settings.request_seconds + 20 <= function["Timeout"]
    assert function["Environment"]["Variables"]["INCOMING_BUCKET"] == {"Ref": "IncomingBucket"}
    assert int(function["MemorySize"]) == 2048


def test_what_fails_again_and_again_is_kept_and_raises_an_alarm(incoming: Resolved) -> None:
    queue, failures = incoming.properties("IncomingQueue"), incoming.properties("IncomingFailures")
    alarm = incoming.properties("IncomingAlarmed")

    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["IncomingFailures", "Arn"]}
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert [each["MessageRetentionPeriod"] for each in (queue, failures)] == [14 * DAY_SECONDS] * 2
    assert [each["SqsManagedSseEnabled"] for each in (queue, failures)] == [True, True]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["IncomingFailures", "QueueName"]}}]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 1)


def test_pictures_and_results_expire_before_their_tokens_are_forgotten(template: Template) -> None:
    most = template["Parameters"]["IncomingDays"]["MaxValue"]
    bucket = Resolved(template, {"Incoming": "true", "IncomingDays": str(most)}).properties("IncomingBucket")
    rules = {rule["Prefix"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"] if "Prefix" in rule}

    assert {prefix: int(rule["ExpirationInDays"]) for prefix, rule in rules.items()} == {
        paths.PICTURES: most,
        paths.RESULTS: most,
    }
    # A day more, because S3 deletes at midnight, and a message may wait in both queues.
    assert (most + 1 + 2 * 14) * DAY_SECONDS <= KEPT_SECONDS
    assert "VersioningConfiguration" not in bucket


def test_the_bucket_is_as_private_as_the_crops(incoming: Resolved, with_extras: Resolved) -> None:
    for stack in (incoming, with_extras):
        pictures, crops = stack.properties("IncomingBucket"), stack.properties("CropsBucket")
        for name in ("BucketEncryption", "OwnershipControls", "PublicAccessBlockConfiguration"):
            assert pictures[name] == crops[name]
    policies = [str(incoming.properties(f"{name}BucketPolicy")) for name in ("Incoming", "Crops")]
    assert policies[0].replace("Incoming", "Crops") == policies[1]
    assert incoming.resources["IncomingBucket"]["DeletionPolicy"] == "RetainExceptOnCreate"


def test_the_role_may_do_what_the_function_does_and_no_more(incoming: Resolved) -> None:
    expected: dict[str, Any] = {
        **_log("IntakeLog"),
        **_database(ROWS),
        **_on(QUEUE, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        "s3:GetObject": [PICTURES, RESULTS, TEMPORARY, SEGMENTS],
        "s3:PutObject": [RESULTS, TEMPORARY, FACES],
        "s3:DeleteObject": FACES,
        "s3:ListBucket": [BUCKET, CROPS],
        **_on(
            {"Fn::GetAtt": ["TokensTable", "Arn"]}, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:BatchWriteItem"
        ),
    }

    assert _granted(incoming, "IntakeRole") == expected
    assert "IntakeRole" not in GRANTED


def test_the_network_leads_to_the_bucket(incoming: Resolved) -> None:
    statements = incoming.properties("CropsEndpoint")["PolicyDocument"]["Statement"]

    assert [(statement["Action"], statement["Resource"]) for statement in statements[2:]] == [
        (["s3:GetObject", "s3:PutObject"], "${IncomingBucket.Arn}/*"),
        ("s3:ListBucket", BUCKET),
    ]
    own = {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
    assert all(statement["Condition"] == own for statement in statements)


def test_the_connections_are_as_many_with_and_without(template: Template) -> None:
    for database_class in template["Mappings"]["Capacity"]:
        reserved = [
            sum(
                int(function["ReservedConcurrentExecutions"])
                for function in Resolved(template, {"DatabaseClass": database_class, "Incoming": incoming})
                .of_type("AWS::Lambda::Function")
                .values()
            )
            for incoming in ("false", "true")
        ]

        assert reserved[0] == reserved[1]


def test_what_comes_by_s3_is_in_the_audit_log(template: Template) -> None:
    audited = Resolved(template, {"Incoming": "true", "AuditLogDays": "365"})
    lines, permission = audited.properties("AuditLinesOfIntake"), audited.properties("AuditCopyPermissionOfIntake")

    assert lines["LogGroupName"] == {"Ref": "IntakeLog"}
    assert lines["FilterPattern"] == audited.properties("AuditLines")["FilterPattern"]
    assert permission["SourceArn"] == {"Fn::GetAtt": ["IntakeLog", "Arn"]}
    assert audited.resources["AuditLinesOfIntake"]["DependsOn"] == "AuditCopyPermissionOfIntake"
    assert "AuditLinesOfIntake" not in Resolved(template, {"AuditLogDays": "365"}).resources
