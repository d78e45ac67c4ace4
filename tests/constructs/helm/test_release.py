import json
from pathlib import Path
from typing import cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template
from aws_cdk.lambda_layer_kubectl_v36 import KubectlV36Layer

from aerodrome_constructs.helm import HelmRelease, HelmReleaseProps, ReleaseSpec, Values, ValuesConflictError
from tests.templates import ACCOUNT, REGION, Properties, new_stack, only, synthesized, text

HELM_CHART = "Custom::AWSCDK-EKS-HelmChart"
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_SECONDS = 900


def spec(
    tmp_path: Path, *, repository: str | None = "https://charts.example.com", values: Values | None = None
) -> ReleaseSpec:
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.2.3\n", encoding="utf-8")
    return ReleaseSpec(
        folder=tmp_path,
        release="web",
        namespace="shop",
        version="1.2.3",
        read="a test",
        chart=None if repository is None else "web-chart",
        repository=repository,
        digest=None,
        values=values or {},
    )


def cluster(stack: cdk.Stack) -> eks.ICluster:
    layer = KubectlV36Layer(stack, "Layer")
    made = eks.Cluster(
        stack,
        "Cluster",
        version=eks.KubernetesVersion.of("1.36"),
        kubectl_provider_options=eks.KubectlProviderOptions(kubectl_layer=layer),
    )
    # The CDK's Python types do not say that a Cluster is an ICluster.
    return cast("eks.ICluster", made)


def released(spec: ReleaseSpec, values: Values) -> Properties:
    stack = new_stack()
    HelmRelease(stack, "Web", HelmReleaseProps(cluster=cluster(stack), spec=spec, values=values))
    return only(synthesized(stack), HELM_CHART)


def test_the_chart_is_the_pinned_one(tmp_path: Path) -> None:
    properties = released(spec(tmp_path), {})

    assert properties["Chart"] == "web-chart"
    assert properties["Repository"] == "https://charts.example.com"
    assert properties["Version"] == "1.2.3"
    assert (properties["Release"], properties["Namespace"]) == ("web", "shop")


def test_a_release_is_whole_or_rolled_back_before_the_function_ends(tmp_path: Path) -> None:
    properties = released(spec(tmp_path), {})

    assert properties["Atomic"] is True
    assert properties["Wait"] is True
    # Helm waits for the release, and as long again for its rollback.
    assert 2 * int(properties["Timeout"].removesuffix("s")) < LAMBDA_SECONDS


def test_helm_makes_no_namespace_unless_asked_to(tmp_path: Path) -> None:
    assert "CreateNamespace" not in released(spec(tmp_path), {})


def test_a_chart_of_our_own_travels_as_an_asset(tmp_path: Path) -> None:
    properties = released(spec(tmp_path, repository=None), {"a": 1})

    assert text(properties["ChartAssetURL"]).startswith("s3://")
    assert not {"Chart", "Repository", "Version"} & properties.keys()


def test_nulls_of_both_sources_reach_the_template(tmp_path: Path) -> None:
    properties = released(spec(tmp_path, values={"a": {"b": None}}), {"a": {"c": None}})

    assert json.loads(properties["Values"]) == {"a": {"b": None, "c": None}}


def test_values_of_another_stack_become_imports_beside_nulls(tmp_path: Path) -> None:
    producer = new_stack()
    app = producer.node.root
    assert isinstance(app, cdk.App)
    consumer = cdk.Stack(app, "Consumer", env=cdk.Environment(account=ACCOUNT, region=REGION))
    role = iam.Role(producer, "Role", assumed_by=iam.AccountRootPrincipal())
    props = HelmReleaseProps(
        cluster=cluster(producer), spec=spec(tmp_path, values={"a": None}), values={"role": {"arn": role.role_arn}}
    )

    HelmRelease(consumer, "Web", props)

    values = only(Template.from_stack(consumer).to_json(), HELM_CHART)["Values"]
    separator, [before, reference, after] = values["Fn::Join"]
    assert list(reference) == ["Fn::ImportValue"]
    assert json.loads(separator.join([before, "an-arn", after])) == {"a": None, "role": {"arn": "an-arn"}}


def test_two_sources_of_one_value_fail_the_synth(tmp_path: Path) -> None:
    with pytest.raises(ValuesConflictError, match="replicas: set twice"):
        released(spec(tmp_path, values={"replicas": 1}), {"replicas": 2})
