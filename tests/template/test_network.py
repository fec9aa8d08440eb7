"""The network of the template."""

from __future__ import annotations

from typing import Any

from infra.deploy.package.gallery import references
from tests.template.resolved import Resolved, Template

# Each of these would be a way to the internet.
WAYS_OUT = {
    "AWS::EC2::EIP",
    "AWS::EC2::EgressOnlyInternetGateway",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::NatGateway",
    "AWS::EC2::Route",
    "AWS::EC2::TransitGatewayAttachment",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::EC2::VPCPeeringConnection",
}


def test_the_subnets_are_private_and_in_two_data_centres(stack: Resolved) -> None:
    assert {resource["Type"] for resource in stack.resources.values()} & WAYS_OUT == set()
    subnets = stack.of_type("AWS::EC2::Subnet").values()
    assert [subnet["MapPublicIpOnLaunch"] for subnet in subnets] == [False, False]
    assert [subnet["AvailabilityZone"]["Fn::Select"][0] for subnet in subnets] == [0, 1]
    assert [subnet["CidrBlock"]["Fn::Select"][0] for subnet in subnets] == [0, 1]


def test_s3_and_dynamodb_are_reached_through_gateway_endpoints(stack: Resolved) -> None:
    endpoints = stack.of_type("AWS::EC2::VPCEndpoint").values()

    assert {endpoint["ServiceName"] for endpoint in endpoints} == {
        "com.amazonaws.eu-central-1.s3",
        "com.amazonaws.eu-central-1.dynamodb",
    }
    assert {endpoint["VpcEndpointType"] for endpoint in endpoints} == {"Gateway"}
    assert [endpoint["RouteTableIds"] for endpoint in endpoints] == [[{"Ref": "Routes"}]] * 2
    associations = stack.of_type("AWS::EC2::SubnetRouteTableAssociation").values()
    assert [(a["SubnetId"]["Ref"], a["RouteTableId"]["Ref"]) for a in associations] == [
        ("SubnetA", "Routes"),
        ("SubnetB", "Routes"),
    ]


def test_the_endpoints_allow_only_the_stacks_own_bucket_and_table(stack: Resolved) -> None:
    statements = [
        statement
        for endpoint in stack.of_type("AWS::EC2::VPCEndpoint").values()
        for statement in endpoint["PolicyDocument"]["Statement"]
    ]

    assert [statement["Resource"] for statement in statements] == [
        "${CropsBucket.Arn}/*",
        {"Fn::GetAtt": ["CropsBucket", "Arn"]},
        {"Fn::GetAtt": ["TokensTable", "Arn"]},
    ]
    own = {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
    assert all(statement["Condition"] == own for statement in statements)


def _waits_for(template: Template, name: str) -> set[str]:
    """Return the resources that CloudFormation creates before a resource, and deletes after it."""
    resources, found, left = template["Resources"], set[str](), {name}
    while left:
        left = {each for one in left for each in references(resources[one]) & resources.keys()} - found
        found |= left
    return found


def test_a_functions_role_outlives_its_network(whole: Template) -> None:
    """Lambda deletes the network interfaces with the role's permissions after the function is gone.

    A subnet or group with an interface cannot be deleted.
    """
    every = {name: r for name, r in whole["Resources"].items() if r["Type"] == "AWS::Lambda::Function"}
    functions = {name: r for name, r in every.items() if "VpcConfig" in r["Properties"]}

    # These use no store, and services that the network does not lead to.
    assert every.keys() - functions.keys() == {"Authorizer", "AuditCopy", "SmokeTest"}
    for name, function in functions.items():
        role = function["Properties"]["Role"]["Fn::GetAtt"][0]
        network = references(function["Properties"]["VpcConfig"])
        network -= {"FunctionSecurityGroup", "SubnetIds"}  # a stage's own
        assert network == {"FunctionsGroup", "SubnetA", "SubnetB"}
        assert {role, role.replace("Role", "Policy"), "NetworkPolicy"} | network <= _waits_for(whole, name)
        for each in network:
            assert {role, "NetworkPolicy"} <= _waits_for(whole, each)


def _rules(stack: Resolved, group: str, direction: str) -> list[tuple[int, int, Any]]:
    """Return the first port, last port and peer of every rule of a group."""
    peers = ("CidrIp", "SourceSecurityGroupId", "DestinationSecurityGroupId")
    rules = list(stack.properties(group).get(f"SecurityGroup{direction}", []))
    rules += [
        rule
        for rule in stack.of_type(f"AWS::EC2::SecurityGroup{direction}").values()
        if rule["GroupId"] == {"Ref": group}
    ]
    return [(rule["FromPort"], rule["ToPort"], next(rule[peer] for peer in peers if peer in rule)) for rule in rules]


def test_only_the_functions_reach_the_database(stack: Resolved) -> None:
    assert _rules(stack, "DatabaseGroup", "Ingress") == [(3306, 3306, {"Ref": "FunctionsGroup"})]
    assert _rules(stack, "DatabaseGroup", "Egress") == [(3306, 3306, "127.0.0.1/32")]
    assert _rules(stack, "FunctionsGroup", "Ingress") == []
    assert _rules(stack, "FunctionsGroup", "Egress") == [
        (443, 443, "0.0.0.0/0"),
        (3306, 3306, {"Ref": "DatabaseGroup"}),
    ]


def test_a_proxy_connects_the_functions_and_the_database(with_proxy: Resolved) -> None:
    assert _rules(with_proxy, "ProxyGroup", "Ingress") == [(3306, 3306, {"Ref": "FunctionsGroup"})]
    assert _rules(with_proxy, "ProxyGroup", "Egress") == [(3306, 3306, {"Ref": "DatabaseGroup"})]
    assert (3306, 3306, {"Ref": "ProxyGroup"}) in _rules(with_proxy, "DatabaseGroup", "Ingress")
    assert (3306, 3306, {"Ref": "ProxyGroup"}) in _rules(with_proxy, "FunctionsGroup", "Egress")
