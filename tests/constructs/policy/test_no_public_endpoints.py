from typing import Any

import pytest

from aerodrome_constructs.policy.no_public_endpoints import RULE
from tests.constructs.policy.findings import findings, resource


def cluster(**access: object) -> dict[str, Any]:
    return {
        "Type": "AWS::EKS::Cluster",
        "Properties": {"ResourcesVpcConfig": {"EndpointPrivateAccess": True, **access}},
    }


@pytest.mark.parametrize(
    "access",
    [
        {"EndpointPublicAccess": False},
        {"EndpointPublicAccess": True, "PublicAccessCidrs": ["203.0.113.0/24"]},
    ],
    ids=["private", "limited"],
)
def test_a_private_or_limited_endpoint_is_right(access: dict[str, Any]) -> None:
    assert findings(RULE, Cluster=cluster(**access)) == []


@pytest.mark.parametrize(
    "access",
    [
        {},
        {"EndpointPublicAccess": True},
        {"EndpointPublicAccess": True, "PublicAccessCidrs": []},
        {"EndpointPublicAccess": True, "PublicAccessCidrs": ["203.0.113.0/24", "0.0.0.0/0"]},
        {"EndpointPublicAccess": True, "PublicAccessCidrs": [{"Ref": "Office"}]},
    ],
    ids=["silent", "no ranges", "empty", "everybody", "unknown"],
)
def test_an_endpoint_for_everybody_is_found(access: dict[str, Any]) -> None:
    (finding,) = findings(RULE, Cluster=cluster(**access))
    assert finding.startswith("Cluster Properties.ResourcesVpcConfig.PublicAccessCidrs: the endpoint is public")


def test_nodes_must_not_reach_their_cluster_over_the_internet() -> None:
    limited = cluster(EndpointPublicAccess=True, PublicAccessCidrs=["203.0.113.0/24"], EndpointPrivateAccess=False)
    (finding,) = findings(RULE, Cluster=limited)
    assert "EndpointPrivateAccess is off" in finding


def test_a_function_asks_for_credentials() -> None:
    assert findings(RULE, Url=resource("AWS::Lambda::Url", AuthType="AWS_IAM")) == []
    assert findings(RULE, Url=resource("AWS::Lambda::Url", AuthType="NONE")) == [
        "Url Properties.AuthType: AuthType is NONE; it has to be AWS_IAM"
    ]
