"""The stores of the template: MySQL, DynamoDB and S3."""

from __future__ import annotations

from tests.template.resolved import Resolved, Template

# Kept when the stack is deleted, but not when the operation that creates it is undone.
RETAINED = "RetainExceptOnCreate"


def test_the_database_is_encrypted_and_private(stack: Resolved) -> None:
    database = stack.properties("Database")

    assert (database["Engine"], database["EngineVersion"]) == ("mysql", "8.4")
    assert stack.properties("DatabaseParameters")["Family"] == "mysql8.4"
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["VPCSecurityGroups"] == [{"Ref": "DatabaseGroup"}]
    assert stack.properties("DatabaseSubnets")["SubnetIds"] == [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]


def test_a_replacement_of_the_database_has_other_names(whole: Template) -> None:
    """CloudFormation creates the new resource before it deletes the old one, so a fixed name stands in its way."""

    def names(generation: str) -> dict[tuple[str, str], str]:
        stack = Resolved(whole, {"UseProxy": "true", "DatabaseGeneration": generation})
        named = (("Database", "DBInstanceIdentifier"), ("DatabaseLog", "LogGroupName"), ("Proxy", "DBProxyName"))
        return {(name, key): str(stack.properties(name)[key]) for name, key in named}

    assert names("1").keys() == {
        (name, key)
        for name, resource in Resolved(whole, {"UseProxy": "true"}).resources.items()
        for key, value in resource.get("Properties", {}).items()
        if key.endswith(("Name", "Identifier"))
        and str(value).endswith(("face-search-dev-1", "face-search-dev-1/error"))
    }
    assert set(names("1").values()) & set(names("2").values()) == set()


def test_the_database_requires_tls(stack: Resolved) -> None:
    database = stack.properties("Database")

    assert database["DBParameterGroupName"] == {"Ref": "DatabaseParameters"}
    assert stack.properties("DatabaseParameters")["Parameters"]["require_secure_transport"] == "1"
    assert database["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"


def test_the_stack_stores_no_database_password(stack: Resolved) -> None:
    database = stack.properties("Database")

    assert database["EnableIAMDatabaseAuthentication"] is True
    assert database["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in database


def test_the_database_logs_no_statements(stack: Resolved) -> None:
    parameters = stack.properties("DatabaseParameters")["Parameters"]

    assert stack.properties("Database")["EnableCloudwatchLogsExports"] == ["error"]
    assert (parameters["general_log"], parameters["slow_query_log"]) == ("0", "0")


def test_connections_of_lost_containers_are_closed(stack: Resolved) -> None:
    assert stack.properties("DatabaseParameters")["Parameters"]["wait_timeout"] == "300"


def test_the_database_is_backed_up_and_protected_outside_dev(dev: Resolved, prod: Resolved, template: Template) -> None:
    of = {"dev": dev.properties("Database"), "prod": prod.properties("Database")}
    of["a stage that sets nothing"] = Resolved(template, {}).properties("Database")

    assert {stage: database["DeletionProtection"] for stage, database in of.items()} == {
        "dev": "false",
        "prod": "true",
        "a stage that sets nothing": "true",
    }
    assert {stage: int(database["BackupRetentionPeriod"]) for stage, database in of.items()} == {
        "dev": 1,
        "prod": 14,
        "a stage that sets nothing": 7,
    }
    assert [database["MultiAZ"] for database in of.values()] == ["false", "true", "true"]
    assert all(database["CopyTagsToSnapshot"] is True for database in of.values())
    assert all(database["AutoMinorVersionUpgrade"] is True for database in of.values())


def test_deleting_the_stack_keeps_all_faces(stack: Resolved) -> None:
    kept = {
        name: resource["DeletionPolicy"]
        for name, resource in stack.resources.items()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }

    assert {"Database": "Snapshot", "CropsBucket": RETAINED, "CropsBucketPolicy": RETAINED}.items() <= kept.items()
    for name, policy in kept.items():
        replaced = "Retain" if policy == RETAINED else policy
        assert stack.resources[name]["UpdateReplacePolicy"] == replaced


def test_a_failed_first_creation_leaves_nothing(with_vectors: Resolved) -> None:
    """The next attempt would not find the retained bucket, and would pay for both."""
    policies = {resource.get("DeletionPolicy", "Delete") for resource in with_vectors.resources.values()}

    assert policies == {"Delete", "Snapshot", RETAINED}


def test_there_is_a_proxy_only_if_a_stage_asks_for_one(stack: Resolved) -> None:
    assert [name for name in stack.resources if "Proxy" in name] == []


def test_the_proxy_accepts_only_iam_and_tls_and_has_no_secret(with_proxy: Resolved) -> None:
    proxy = with_proxy.properties("Proxy")

    assert (proxy["EngineFamily"], proxy["RequireTLS"], proxy["DefaultAuthScheme"]) == ("MYSQL", True, "IAM_AUTH")
    assert "Auth" not in proxy
    assert proxy["DebugLogging"] is False
    assert proxy["VpcSubnetIds"] == [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]
    assert with_proxy.properties("ProxyTarget")["DBInstanceIdentifiers"] == [{"Ref": "Database"}]


def test_tokens_expire_and_the_table_can_be_restored_for_a_day(stack: Resolved) -> None:
    table = stack.properties("TokensTable")

    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": 1,  # a removed token's face stays in it
    }
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_crops_are_encrypted_and_private(stack: Resolved) -> None:
    bucket = stack.properties("CropsBucket")

    [encryption] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_crops_travel_over_tls_only(stack: Resolved) -> None:
    policy = stack.properties("CropsBucketPolicy")

    assert policy["Bucket"] == {"Ref": "CropsBucket"}
    everything = [{"Fn::GetAtt": ["CropsBucket", "Arn"]}, "${CropsBucket.Arn}/*"]
    for statement in policy["PolicyDocument"]["Statement"]:
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Resource"] == everything
    assert [statement["Condition"] for statement in policy["PolicyDocument"]["Statement"]] == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ]


def test_temporary_crops_and_exports_expire_and_no_versions_are_kept(stack: Resolved) -> None:
    bucket = stack.properties("CropsBucket")
    rules = bucket["LifecycleConfiguration"]["Rules"]

    assert [(rule["Prefix"], rule["ExpirationInDays"]) for rule in rules if "ExpirationInDays" in rule] == [
        ("temporary/", 2),
        ("exports/", 7),
    ]
    assert all(rule["Status"] == "Enabled" for rule in rules)
    assert "VersioningConfiguration" not in bucket
