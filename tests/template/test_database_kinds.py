"""Aurora Serverless, your own database, and your own network."""

from __future__ import annotations

import copy
import json

import pytest

from infra.deploy.package import database, stage
from infra.deploy.package.errors import PackageError
from infra.deploy.package.identity import for_identity
from tests.template.resolved import Resolved, Template

AURORA = {"DatabaseKind": "aurora-serverless"}
OWN_NETWORK = {"VpcId": "vpc-0123456789abcdef0", "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1"}
OWN_DATABASE = OWN_NETWORK | {
    "DatabaseKind": "existing",
    "DatabaseHost": "faces.cluster-abc.eu-central-1.rds.amazonaws.com",
    "DatabaseResourceId": "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "DatabaseSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:faces-AbCdEf",
    "DatabaseSecurityGroup": "sg-0123456789abcdef0",
}
OWN_GROUP = {"FunctionSecurityGroup": "sg-0123456789abcdef1"}
ROUTES = {"RouteTableIds": "rtb-0123456789abcdef0"}
KINDS = {
    "aurora": AURORA,
    "aurora in an own network": AURORA | OWN_NETWORK | ROUTES,
    "own database": OWN_DATABASE,
    "own everything": OWN_DATABASE | OWN_GROUP | ROUTES | {"DatabasePort": "3307"},
    "rds in an own network and group": OWN_NETWORK | OWN_GROUP,
}


@pytest.fixture(scope="session")
def aurora(template: Template) -> Resolved:
    return Resolved(template, AURORA)


@pytest.fixture(scope="session")
def own(template: Template) -> Resolved:
    return Resolved(template, OWN_DATABASE)


@pytest.mark.parametrize("chosen", KINDS.values(), ids=KINDS)
def test_the_choices_are_allowed_and_their_template_refers_only_to_what_it_has(
    template: Template, chosen: dict[str, str]
) -> None:
    database.check(chosen)
    resolved = Resolved(template, chosen)
    text = json.dumps([resolved.resources, resolved.outputs])

    absent = template["Resources"].keys() - resolved.resources.keys()
    assert [name for name in absent if f'"Ref": "{name}"' in text or f"${{{name}}}" in text] == []
    assert [name for name in absent if f'"Fn::GetAtt": ["{name}"' in text or f"${{{name}." in text] == []
    json.loads(resolved.properties("Dashboard")["DashboardBody"])


def test_cfn_lint_finds_no_problem(template: Template) -> None:
    from cfnlint.api import lint  # takes seconds

    chosen = for_identity(copy.deepcopy(template), {})
    for name, value in KINDS["own everything"].items():
        described = chosen["Parameters"][name]
        described["Default"] = int(value) if described["Type"] == "Number" else value

    assert [str(match) for match in lint(json.dumps(chosen), regions=["eu-central-1"])] == []


class TestAurora:
    def test_it_pauses_at_zero_and_only_without_connections(self, aurora: Resolved) -> None:
        cluster, server = aurora.properties("Aurora"), aurora.properties("AuroraServer")

        assert cluster["ServerlessV2ScalingConfiguration"] == {
            "MinCapacity": 0,
            "MaxCapacity": 4,
            "SecondsUntilAutoPause": 300,
        }
        assert (cluster["Engine"], server["Engine"], server["DBInstanceClass"]) == (
            *["aurora-mysql"] * 2,
            "db.serverless",
        )
        version = tuple(map(int, cluster["EngineVersion"].removeprefix("8.0.mysql_aurora.").split(".")))
        assert version >= (3, 8, 0)
        # A frozen container's connection would keep it awake.
        assert aurora.properties("AuroraParameters")["Parameters"]["wait_timeout"] == "60"
        assert [name for name in aurora.resources if "Proxy" in name] == []

    def test_it_is_as_safe_as_a_server_on_rds(self, aurora: Resolved) -> None:
        cluster, parameters = aurora.properties("Aurora"), aurora.properties("AuroraParameters")["Parameters"]

        assert cluster["StorageEncrypted"] is cluster["EnableIAMDatabaseAuthentication"] is True
        assert cluster["ManageMasterUserPassword"] is True
        assert aurora.properties("AuroraServer")["PubliclyAccessible"] is False
        assert aurora.properties("AuroraServer")["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"
        assert parameters["require_secure_transport"] == "ON"
        assert (parameters["general_log"], parameters["slow_query_log"]) == ("0", "0")
        assert cluster["VpcSecurityGroupIds"] == [{"Ref": "DatabaseGroup"}]
        assert (cluster["DeletionProtection"], int(cluster["BackupRetentionPeriod"])) == ("true", 7)
        assert aurora.resources["Aurora"]["DeletionPolicy"] == "Snapshot"

    def test_it_is_the_only_database(self, aurora: Resolved) -> None:
        assert aurora.of_type("AWS::RDS::DBInstance").keys() == {"AuroraServer"}
        assert aurora.outputs["DatabaseSecretArn"]["Value"] == {"Fn::GetAtt": ["Aurora", "MasterUserSecret.SecretArn"]}
        assert aurora.outputs["DatabaseIdentifier"]["Value"] == {"Ref": "Aurora"}

    def test_its_alarms_and_widgets_are_about_capacity(self, aurora: Resolved) -> None:
        alarms = {
            alarm["MetricName"]
            for alarm in aurora.of_type("AWS::CloudWatch::Alarm").values()
            if alarm.get("Namespace") == "AWS/RDS"
        }

        assert alarms == {"DatabaseConnections", "ACUUtilization"}
        body = aurora.properties("Dashboard")["DashboardBody"]
        assert "ServerlessDatabaseCapacity" in body
        assert "FreeStorageSpace" not in body

    def test_functions_know_that_it_pauses(self, aurora: Resolved, dev: Resolved) -> None:
        for stack, pauses in ((aurora, True), (dev, False)):
            for function in stack.of_type("AWS::Lambda::Function").values():
                url = function["Environment"]["Variables"]["DATABASE_URL"]
                assert url.endswith("&auth=iam&pauses=yes" if pauses else "&auth=iam")
                assert ("@${Aurora.Endpoint.Address}:3306/" in url) is pauses

    def test_a_replacement_has_other_names(self, template: Template) -> None:
        def names(generation: str) -> set[str]:
            stack = Resolved(template, AURORA | {"DatabaseGeneration": generation})
            return {
                stack.properties("Aurora")["DBClusterIdentifier"],
                stack.properties("AuroraServer")["DBInstanceIdentifier"],
                stack.properties("AuroraLog")["LogGroupName"],
            }

        assert names("1") & names("2") == set()
        assert "/aws/rds/cluster/face-search-dev-1/error" in names("1")


class TestExisting:
    def test_the_stack_creates_no_network_and_no_database(self, own: Resolved) -> None:
        kinds = {resource["Type"] for resource in own.resources.values()}

        assert {kind for kind in kinds if kind.startswith(("AWS::RDS", "AWS::EC2"))} == {
            "AWS::EC2::SecurityGroup",
            "AWS::EC2::SecurityGroupEgress",
            "AWS::EC2::SecurityGroupIngress",
        }
        assert own.of_type("AWS::EC2::SecurityGroup").keys() == {"FunctionsGroup"}

    def test_the_functions_reach_it_over_verified_tls(self, own: Resolved) -> None:
        functions = own.of_type("AWS::Lambda::Function")
        urls = {name: each["Environment"]["Variables"]["DATABASE_URL"] for name, each in functions.items()}

        at = f"@{OWN_DATABASE['DatabaseHost']}:3306/facesearch?ca=/var/task/"
        assert all(at in url for url in urls.values())
        assert urls["Migrate"].startswith("mysql://face_search_owner@")
        for function in functions.values():
            assert function["VpcConfig"] == {
                "SecurityGroupIds": [{"Ref": "FunctionsGroup"}],
                "SubnetIds": OWN_NETWORK["SubnetIds"],  # CloudFormation splits the parameter
            }

    def test_its_group_is_opened_to_the_functions_alone(self, own: Resolved) -> None:
        into, out = own.properties("YourDatabaseFromFunctions"), own.properties("FunctionsToYourDatabase")

        assert into["GroupId"] == out["DestinationSecurityGroupId"] == OWN_DATABASE["DatabaseSecurityGroup"]
        assert into["SourceSecurityGroupId"] == out["GroupId"] == {"Ref": "FunctionsGroup"}
        assert {into["FromPort"], into["ToPort"], out["FromPort"], out["ToPort"]} == {3306}

    def test_roles_may_connect_to_it_alone(self, own: Resolved) -> None:
        users = {s["Resource"].split(":dbuser:")[1] for _, s in own.statements() if s["Action"] == "rds-db:connect"}

        assert users == {
            f"{OWN_DATABASE['DatabaseResourceId']}/{user}" for user in ("face_search", "face_search_owner")
        }

    def test_the_deployment_reads_its_secret_and_no_function_does(self, own: Resolved) -> None:
        assert own.outputs["DatabaseSecretArn"]["Value"] == OWN_DATABASE["DatabaseSecretArn"]
        assert "secretsmanager" not in json.dumps([statement for _, statement in own.statements()])


class TestOwnNetwork:
    def test_the_database_and_the_functions_are_in_it(self, template: Template) -> None:
        stack = Resolved(template, AURORA | OWN_NETWORK)

        assert stack.properties("DatabaseSubnets")["SubnetIds"] == OWN_NETWORK["SubnetIds"]
        assert {group["VpcId"] for group in stack.of_type("AWS::EC2::SecurityGroup").values()} == {OWN_NETWORK["VpcId"]}
        assert stack.of_type("AWS::EC2::VPCEndpoint") == {}

    def test_route_tables_get_the_endpoints(self, template: Template) -> None:
        endpoints = Resolved(template, AURORA | OWN_NETWORK | ROUTES).of_type("AWS::EC2::VPCEndpoint")

        assert {name: (each["VpcId"], each["RouteTableIds"]) for name, each in endpoints.items()} == dict.fromkeys(
            ("CropsEndpoint", "TokensEndpoint"), (OWN_NETWORK["VpcId"], ROUTES["RouteTableIds"])
        )

    def test_an_own_group_gets_no_rules(self, template: Template) -> None:
        stack = Resolved(template, OWN_NETWORK | OWN_GROUP)

        assert stack.of_type("AWS::EC2::SecurityGroupEgress") == {}
        [rule] = stack.properties("DatabaseGroup")["SecurityGroupIngress"]
        assert rule["SourceSecurityGroupId"] == OWN_GROUP["FunctionSecurityGroup"]


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ({"DatabaseKind": "existing"}, "needs VpcId, DatabaseHost, DatabaseResourceId, DatabaseSecretArn too"),
        (OWN_DATABASE | {"DatabaseSecurityGroup": ""}, "needs DatabaseSecurityGroup, or a FunctionSecurityGroup"),
        (AURORA | {"UseProxy": "true"}, "a proxy keeps Aurora from pausing"),
        (OWN_DATABASE | {"UseProxy": "true"}, 'only possible with DatabaseKind = "rds"'),
        ({"DatabaseHost": "db.example.com"}, 'DatabaseHost, which is possible only with DatabaseKind = "existing"'),
        ({"SubnetIds": "subnet-1"}, "SubnetIds, which is possible only with VpcId"),
        ({"VpcId": "vpc-1"}, "VpcId, which needs SubnetIds too"),
        (OWN_NETWORK | {"SubnetIds": "subnet-1"}, "at least 2 subnets"),
        (OWN_NETWORK | {"VpcCidr": "10.1.0.0/24"}, "VpcCidr, which is the range of a network that the stack creates"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(chosen: dict[str, str], problem: str) -> None:
    with pytest.raises(PackageError, match=problem):
        database.check(chosen)


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_stages_are_allowed(name: str) -> None:
    database.check(stage.parameters(name))
