import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from aerodrome_constructs.cluster import KUBERNETES_RELEASES, KubernetesRelease
from aerodrome_constructs.helm import ReleaseSpec
from tests.templates import ROOT, new_stack, only, synthesized

ADD_ONS = {"vpc-cni", "kube-proxy", "coredns", "aws-ebs-csi-driver", "eks-pod-identity-agent"}
PAGE = ROOT / "docs" / "reference" / "kubernetes-versions.md"


def test_versions_are_1_34_or_newer() -> None:
    assert KUBERNETES_RELEASES
    assert all(tuple(map(int, version.split("."))) >= (1, 34) for version in KUBERNETES_RELEASES)


@pytest.mark.parametrize("version", KUBERNETES_RELEASES)
def test_each_version_brings_its_own_kubectl_and_a_helm(version: str) -> None:
    # kubectl supports a skew of one; a peer had kubectl 1.29 for every cluster.
    release = KUBERNETES_RELEASES[version]
    stack = new_stack()
    release.kubectl_layer(stack, "Layer")
    description = only(synthesized(stack), "AWS::Lambda::LayerVersion")["Description"]
    assert release.version.version == version
    assert f"kubectl {version}." in description
    assert "helm 4." in description


@pytest.mark.parametrize("version", KUBERNETES_RELEASES)
def test_every_add_on_is_pinned_to_one_build(version: str) -> None:
    add_ons = KUBERNETES_RELEASES[version].add_ons
    assert set(add_ons) == ADD_ONS
    assert {name: pin for name, pin in add_ons.items() if not re.fullmatch(r"v\d+\.\d+\.\d+-eksbuild\.\d+", pin)} == {}


@pytest.mark.parametrize("version", KUBERNETES_RELEASES)
def test_what_is_built_of_kubernetes_itself_is_of_the_same_version(version: str) -> None:
    release = KUBERNETES_RELEASES[version]
    assert release.add_ons["kube-proxy"].startswith(f"v{version}.")
    assert re.fullmatch(rf"{re.escape(version)}\.\d+-20\d{{6}}", release.node_image_release)


@pytest.mark.parametrize("version", KUBERNETES_RELEASES)
def test_karpenter_starts_the_images_of_the_managed_nodes(version: str) -> None:
    release = KUBERNETES_RELEASES[version]
    assert release.node_image_alias == f"al2023@v{release.node_image_release[-8:]}"


@pytest.mark.parametrize("version", KUBERNETES_RELEASES)
def test_the_charts_in_the_repository_are_in_every_row(version: str) -> None:
    charts = KUBERNETES_RELEASES[version].charts
    assert {"karpenter", "aws-load-balancer-controller", "metrics-server"} <= set(charts)
    assert {name: ReleaseSpec.from_folder(ROOT / "charts" / name).version for name in charts} == charts


@pytest.fixture
def release() -> KubernetesRelease:
    """A row with a chart of its own."""
    return replace(KUBERNETES_RELEASES["1.36"], charts={"karpenter": "1.13.0"})


def test_a_chart_that_is_not_in_the_row_is_refused(release: KubernetesRelease) -> None:
    with pytest.raises(ValueError, match=re.escape("pinned to 1.12.0, and Kubernetes 1.36 goes with 1.13.0; pin")):
        release.check_chart("karpenter", "1.12.0")


@pytest.mark.parametrize(("chart", "version"), [("karpenter", "1.13.0"), ("mlflow", "1.11.5")])
def test_a_chart_of_the_row_and_one_that_is_not_bound_pass(
    release: KubernetesRelease, chart: str, version: str
) -> None:
    release.check_chart(chart, version)


def table() -> Mapping[str, Mapping[str, str]]:
    """The table of the page: what goes with each version, by what it is."""
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    (_, *versions), _, *body = rows
    return {version: {row[0]: row[position] for row in body} for position, version in enumerate(versions, start=1)}


def test_the_page_says_what_the_table_says() -> None:
    expected = {
        version: {
            **release.add_ons,
            "node images": release.node_image_release,
            **{f"chart {name}": pin for name, pin in release.charts.items()},
        }
        for version, release in KUBERNETES_RELEASES.items()
    }
    assert table() == expected
