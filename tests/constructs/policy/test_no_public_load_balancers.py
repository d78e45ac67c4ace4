import json

import pytest

from aerodrome_constructs.policy.no_public_load_balancers import RULE
from tests.constructs.policy.findings import findings, resource

BALANCER, CHART = "AWS::ElasticLoadBalancingV2::LoadBalancer", "Custom::AWSCDK-EKS-HelmChart"
ALB = "alb.ingress.kubernetes.io"


def chart(*annotations: dict[str, str]) -> dict[str, object]:
    text = json.dumps([{"ingress": {"annotations": one}} for one in annotations])
    return {"Values": {"Fn::Join": ["", [text, {"Ref": "Name"}]]}}


def test_an_internal_load_balancer_is_right() -> None:
    assert findings(RULE, Balancer=resource(BALANCER, Scheme="internal")) == []


@pytest.mark.parametrize("scheme", [{"Scheme": "internet-facing"}, {}], ids=["said", "by default"])
def test_an_internet_facing_load_balancer_is_found(scheme: dict[str, str]) -> None:
    (finding,) = findings(RULE, Balancer=resource(BALANCER, **scheme))
    assert "internet-facing" in finding


@pytest.mark.parametrize("annotation", [f"{ALB}/scheme", "service.beta.kubernetes.io/aws-load-balancer-scheme"])
def test_one_that_kubernetes_asks_for_is_found_and_an_internal_one_is_right(annotation: str) -> None:
    assert findings(RULE, Release=resource(CHART, **chart({annotation: "internal"}))) == []
    (finding,) = findings(RULE, Release=resource(CHART, **chart({annotation: "internet-facing"})))
    assert finding.startswith(
        "Release Properties.Values: asks for a load balancer whose scheme is internet-facing; it "
    )


def test_one_that_lets_in_named_ranges_is_right() -> None:
    annotations = {f"{ALB}/scheme": "internet-facing", f"{ALB}/inbound-cidrs": "203.0.113.0/24, 2001:db8::/32"}

    assert findings(RULE, Release=resource(CHART, **chart(annotations, annotations))) == []


def test_each_that_is_on_the_internet_names_its_ranges() -> None:
    named = {f"{ALB}/scheme": "internet-facing", f"{ALB}/inbound-cidrs": "203.0.113.0/24"}

    (finding,) = findings(RULE, Release=resource(CHART, **chart(named, {f"{ALB}/scheme": "internet-facing"})))
    assert "it has to be internal" in finding


@pytest.mark.parametrize("ranges", ["0.0.0.0/0", "203.0.113.0/24,::/0", "128.0.0.0/1", "office", ""])
def test_ranges_that_are_most_of_the_internet_or_none_are_found(ranges: str) -> None:
    annotations = {f"{ALB}/scheme": "internet-facing", f"{ALB}/inbound-cidrs": ranges}

    (finding,) = findings(RULE, Release=resource(CHART, **chart(annotations)))
    last = ranges.rpartition(",")[2]
    assert f"lets {last or 'nothing that is said'} reach" in finding
