from typing import Any

import pytest

from aerodrome_constructs.policy.no_public_ingress import RULE
from tests.constructs.policy.findings import findings, resource

GROUP, INGRESS = "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"


@pytest.mark.parametrize(
    "source",
    [
        {"CidrIp": "10.16.0.0/16"},
        {"CidrIp": "100.64.0.0/16"},
        {"CidrIp": {"Fn::GetAtt": ["Vpc", "CidrBlock"]}},
        {"CidrIpv6": "fd00::/8"},
        {"SourceSecurityGroupId": {"Ref": "Nodes"}},
        {"SourcePrefixListId": "pl-63a5400a"},
    ],
    ids=str,
)
def test_private_sources_are_right(source: dict[str, Any]) -> None:
    assert findings(RULE, Group=resource(GROUP, SecurityGroupIngress=[source]), Rule=resource(INGRESS, **source)) == []


@pytest.mark.parametrize(
    "source",
    [
        {"CidrIp": "0.0.0.0/0"},
        {"CidrIpv6": "::/0"},
        {"CidrIp": "0.0.0.0/1"},
        {"CidrIp": "10.0.0.0/7"},
        {"CidrIp": "100.0.0.0/8"},
        {"CidrIp": "52.95.110.1/32"},
    ],
    ids=str,
)
def test_addresses_of_the_internet_are_found(source: dict[str, str]) -> None:
    ((name, value),) = source.items()
    problem = f"{value} may come in, which holds addresses of the internet"
    group = resource(GROUP, SecurityGroupIngress=[{"CidrIp": "10.0.0.0/8"}, source])
    assert findings(RULE, Group=group) == [f"Group Properties.SecurityGroupIngress.1.{name}: {problem}"]
    assert findings(RULE, Rule=resource(INGRESS, **source)) == [f"Rule Properties.{name}: {problem}"]


def test_a_range_that_the_template_does_not_show_is_found() -> None:
    (finding,) = findings(RULE, Rule=resource(INGRESS, CidrIp={"Fn::ImportValue": "office"}))
    assert (
        finding
        == "Rule Properties.CidrIp: ${office} may come in, and the template does not say which addresses these are"
    )


def test_what_goes_out_is_not_what_comes_in() -> None:
    assert findings(RULE, Group=resource(GROUP, SecurityGroupEgress=[{"CidrIp": "0.0.0.0/0"}])) == []
