"""What a stage may add: a domain, a firewall, its own key, tracing, and events of the crops."""

from __future__ import annotations

import json

import pytest

from chalicelib import errors
from chalicelib.api import replies
from infra.deploy.package import edge
from infra.deploy.package.errors import PackageError
from tests.template.conftest import EXTRAS
from tests.template.resolved import Resolved, Template

EXTRA_TYPES = {
    "AWS::ApiGateway::BasePathMapping",
    "AWS::ApiGateway::DomainName",
    "AWS::CertificateManager::Certificate",
    "AWS::CloudTrail::Trail",
    "AWS::Route53::RecordSet",
    "AWS::WAFv2::WebACL",
    "AWS::WAFv2::WebACLAssociation",
}
KEY = EXTRAS["KmsKeyArn"]


def test_a_stage_has_none_unless_it_asks(stack: Resolved) -> None:
    assert {resource["Type"] for resource in stack.resources.values()} & EXTRA_TYPES == set()
    assert "kms" not in json.dumps(stack.resources).lower().replace("kms_managed", "")
    assert "xray" not in json.dumps(stack.resources)


class TestDomain:
    def test_the_domain_leads_to_the_stage_over_tls_1_2(self, with_extras: Resolved) -> None:
        domain, mapping = with_extras.properties("Domain"), with_extras.properties("DomainMapping")

        assert (domain["DomainName"], domain["SecurityPolicy"]) == (
            "faces.example.com",
            with_extras.properties("RestAPI")["SecurityPolicy"],
        )
        assert domain["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
        assert mapping == {
            "DomainName": {"Ref": "Domain"},
            "RestApiId": {"Ref": "RestAPI"},
            "Stage": {"Ref": "RestAPIapiStage"},
        }

    def test_with_a_zone_the_stack_makes_the_certificate_and_the_record(self, with_extras: Resolved) -> None:
        certificate, record = with_extras.properties("DomainCertificate"), with_extras.properties("DomainRecord")

        assert with_extras.properties("Domain")["RegionalCertificateArn"] == {"Ref": "DomainCertificate"}
        assert certificate["DomainValidationOptions"] == [
            {"DomainName": "faces.example.com", "HostedZoneId": EXTRAS["HostedZoneId"]}
        ]
        assert (record["Name"], record["Type"]) == ("faces.example.com", "A")
        assert record["AliasTarget"]["DNSName"] == {"Fn::GetAtt": ["Domain", "RegionalDomainName"]}

    def test_a_given_certificate_is_used_and_a_foreign_dns_gets_an_output(self, template: Template) -> None:
        stack = Resolved(template, {"DomainName": "faces.example.com", "CertificateArn": "arn:aws:acm:x"})

        assert stack.properties("Domain")["RegionalCertificateArn"] == "arn:aws:acm:x"
        assert {"DomainCertificate", "DomainRecord"} & stack.resources.keys() == set()
        assert stack.outputs["DomainTarget"]["Value"] == {"Fn::GetAtt": ["Domain", "RegionalDomainName"]}


class TestFirewall:
    def test_it_limits_the_requests_of_each_address(self, with_extras: Resolved) -> None:
        rules = {rule["Name"]: rule for rule in with_extras.properties("Firewall")["Rules"]}

        rates = {name: rule["Statement"].get("RateBasedStatement") for name, rule in rules.items()}
        assert {name: (rate["AggregateKeyType"], int(rate["Limit"])) for name, rate in rates.items() if rate} == {
            "requests-of-an-address": ("IP", 1000),
            "open-requests-of-an-address": ("IP", 100),
        }
        assert "ScopeDownStatement" not in rates["requests-of-an-address"]
        without = rates["open-requests-of-an-address"]["ScopeDownStatement"]["NotStatement"]["Statement"]["OrStatement"]
        proofs = [each["SizeConstraintStatement"]["FieldToMatch"] for each in without["Statements"]]
        assert [proof["SingleHeader"]["Name"] for proof in proofs] == ["x-api-key", "authorization"]
        assert sorted(rule["Priority"] for rule in rules.values()) == list(range(len(rules)))

    def test_a_refusal_has_the_contracts_form(self, with_extras: Resolved) -> None:
        firewall = with_extras.properties("Firewall")
        expected = replies.failure(
            errors.ServiceError("1003", 429, "there are too many requests at the moment; try again")
        )

        [body] = firewall["CustomResponseBodies"].values()
        assert json.loads(body["Content"]) == expected.body
        blocks = [rule["Action"]["Block"]["CustomResponse"] for rule in firewall["Rules"] if "Action" in rule]
        assert [block["ResponseCode"] for block in blocks] == [429, 429]
        assert all(block["ResponseHeaders"] == [{"Name": "Retry-After", "Value": "60"}] for block in blocks)

    def test_it_keeps_no_samples_of_requests(self, with_extras: Resolved) -> None:
        """Samples show queries, which have names and tokens."""
        firewall = with_extras.properties("Firewall")

        for part in (firewall, *firewall["Rules"]):
            assert part["VisibilityConfig"]["SampledRequestsEnabled"] is False

    def test_it_stands_before_the_stage_so_also_before_the_domain(self, with_extras: Resolved) -> None:
        resource = with_extras.properties("FirewallOfApi")["ResourceArn"]

        assert resource.endswith(":eu-central-1::/restapis/${RestAPI}/stages/${Stage}")


class TestOwnKey:
    def test_it_encrypts_all_faces(self, with_extras: Resolved) -> None:
        [bucket] = with_extras.properties("CropsBucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]

        assert bucket == {
            "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
            "BucketKeyEnabled": True,
        }
        assert with_extras.properties("TokensTable")["SSESpecification"] == {
            "SSEEnabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": KEY,
        }
        assert with_extras.properties("Database")["KmsKeyId"] == KEY
        assert with_extras.properties("AuditLog")["KmsKeyId"] == KEY
        assert with_extras.properties("VectorBucket")["EncryptionConfiguration"] == {
            "SseType": "aws:kms",
            "KmsKeyArn": KEY,
        }

    def test_roles_use_it_only_through_the_stores(self, with_extras: Resolved) -> None:
        using = [
            (role, statement) for role, statement in with_extras.statements() if "kms:Decrypt" in statement["Action"]
        ]

        assert len(using) == 9
        for _, statement in using:
            assert (statement["Action"], statement["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey"], KEY)
            [services] = statement["Condition"]["StringEquals"].values()
            assert [name.split(".")[0] for name in services] == ["s3", "dynamodb", "s3vectors"]


def test_tracing_covers_the_gateway_and_the_function(stack: Resolved, with_extras: Resolved) -> None:
    traced = [
        (each.properties("RestAPIapiStage")["TracingEnabled"], each.properties("APIHandler")["TracingConfig"]["Mode"])
        for each in (stack, with_extras)
    ]

    assert traced == [("false", "PassThrough"), ("true", "Active")]


class TestCropEvents:
    def test_every_read_and_write_of_a_crop_is_an_event(self, with_extras: Resolved) -> None:
        trail = with_extras.properties("CropEvents")

        [selector] = trail["AdvancedEventSelectors"]
        assert selector["FieldSelectors"] == [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
            {"Field": "resources.ARN", "StartsWith": ["${CropsBucket.Arn}/"]},
        ]
        assert trail["IsLogging"] is trail["EnableLogFileValidation"] is True
        assert with_extras.resources["CropEvents"]["DependsOn"] == "CropEventsBucketPolicy"

    def test_events_expire_and_outlive_the_stack(self, with_extras: Resolved) -> None:
        [rule] = with_extras.properties("CropEventsBucket")["LifecycleConfiguration"]["Rules"]

        assert int(rule["ExpirationInDays"]) == 90
        assert with_extras.resources["CropEventsBucket"]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert all(with_extras.properties("CropEventsBucket")["PublicAccessBlockConfiguration"].values())

    def test_only_the_stacks_own_trail_writes_them(self, with_extras: Resolved) -> None:
        name = with_extras.properties("CropEvents")["TrailName"]
        looks, writes, _ = with_extras.properties("CropEventsBucketPolicy")["PolicyDocument"]["Statement"]

        for statement in (looks, writes):
            assert statement["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
            [source] = statement["Condition"]["StringEquals"].values()
            assert source.endswith(f":trail/{name}")
        assert writes["Resource"] == "${CropEventsBucket.Arn}/AWSLogs/${AWS::AccountId}/*"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"DomainName": "faces.example.com"}, "needs CertificateArn or HostedZoneId"),
        ({"RequestsPerAddress": "9"}, "must be 0 or at least 10"),
        ({"RequestsPerAddress": "many"}, "must be 0 or at least 10"),
    ],
)
def test_parameters_that_do_not_fit_together_are_refused(chosen: dict[str, str], message: str) -> None:
    with pytest.raises(PackageError, match=message):
        edge.check(chosen)


def test_parameters_that_fit_are_accepted() -> None:
    edge.check({})
    edge.check(EXTRAS)
