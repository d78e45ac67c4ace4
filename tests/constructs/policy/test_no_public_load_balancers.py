import json

import pytest

from aerodrome_constructs.policy.no_public_load_balancers import RULE
from tests.constructs.policy.findings import findings, resource

BALANCER, CHART = "AWS::ElasticLoadBalancingV2::LoadBalancer", "Custom::AWSCDK-EKS-HelmChart"


def test_an_internal_load_balancer_is_right() -> None:
    assert findings(RULE, Balancer=resource(BALANCER, Scheme="internal")) == []


@pytest.mark.parametrize("scheme", [{"Scheme": "internet-facing"}, {}], ids=["said", "by default"])
def test_an_internet_facing_load_balancer_is_found(scheme: dict[str, str]) -> None:
    (finding,) = findings(RULE, Balancer=resource(BALANCER, **scheme))
    assert "internet-facing" in finding


@pytest.mark.parametrize(
    "annotation", ["alb.ingress.kubernetes.io/scheme", "service.beta.kubernetes.io/aws-load-balancer-scheme"]
)
def test_one_that_kubernetes_asks_for_is_found_and_an_internal_one_is_right(annotation: str) -> None:
    def chart(scheme: str) -> dict[str, object]:
        text = json.dumps({"ingress": {"annotations": {annotation: scheme}}})
        return {"Values": {"Fn::Join": ["", [text, {"Ref": "Name"}]]}}

    assert findings(RULE, Release=resource(CHART, **chart("internal"))) == []
    assert findings(RULE, Release=resource(CHART, **chart("internet-facing"))) == [
        "Release Properties.Values: asks for a load balancer whose scheme is internet-facing; it has to be internal"
    ]
