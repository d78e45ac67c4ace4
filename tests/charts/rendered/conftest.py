"""What the releases put into the cluster of each environment: our own charts, and the upstream ones where they are."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from aerodrome_stacks.environment import Environment, load_environment
from pytest_cdk import AssemblyFactory
from pytest_cdk.settings import Settings
from tests.charts.deployed import DeployedRelease, deployed_releases
from tests.charts.helm import Helm, Manifest
from tests.charts.rendered.everything import EVERYTHING, everything, synthesized
from tests.charts.rendered.workloads import Cluster
from tests.templates import ROOT

# Kinds that belong to the whole cluster, among those that charts hold here.
_CLUSTER_WIDE = {
    "APIService",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "EC2NodeClass",
    "IngressClass",
    "IngressClassParams",
    "MutatingWebhookConfiguration",
    "Namespace",
    "NodePool",
    "PriorityClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
}


def upstream_charts() -> Path | None:
    """The folder with the unpacked upstream charts, ``AERODROME_CHARTS``; ``None`` without it."""
    folder = os.environ.get("AERODROME_CHARTS")
    return Path(folder) if folder else None


def chart_folder(release: DeployedRelease) -> Path | None:
    """The chart of a release, where it is here."""
    if release.chart is None:
        return release.folder
    upstream = upstream_charts()
    if upstream is None:
        return None
    folder = upstream / release.chart
    assert folder.is_dir(), f"AERODROME_CHARTS is {upstream}, and {release.chart} is not there; run make charts"
    return folder


def render(helm: Helm, release: DeployedRelease, folder: Path) -> list[Manifest]:
    """The objects of a release, each with its namespace."""
    manifests = helm.template(folder, release=release.name, namespace=release.namespace, values=release.values)
    # A list is taken apart, by Helm too.
    objects = [one for manifest in manifests for one in manifest.get("items", [manifest])]
    return [_placed(one, release.namespace) for one in objects]


def _placed(manifest: Manifest, namespace: str) -> Manifest:
    metadata = manifest["metadata"]
    if manifest["kind"] in _CLUSTER_WIDE or metadata.get("namespace"):
        return manifest
    return {**manifest, "metadata": {**metadata, "namespace": namespace}}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``case`` in each environment, and in one with everything that none of them has."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", [*Settings.of(metafunc.config).variants, EVERYTHING], scope="session")


@pytest.fixture(scope="session")
def clusters(
    cdk_assembly: AssemblyFactory, helm: Helm, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Cluster]:
    """A function from an environment, or ``EVERYTHING``, to its objects, rendered once a session."""

    def of(case: str) -> Cluster:
        assembly = synthesized(tmp_path_factory.mktemp(case)) if case == EVERYTHING else cdk_assembly(case)
        releases: Mapping[str, DeployedRelease] = deployed_releases(assembly)
        folders = {name: chart_folder(release) for name, release in releases.items()}
        return Cluster(
            {name: render(helm, releases[name], folder) for name, folder in folders.items() if folder is not None}
        )

    return cache(of)


@pytest.fixture
def rendered(cdk_variant: str, clusters: Callable[[str], Cluster]) -> Cluster:
    """Everything that the releases put into the cluster of one environment, as far as their charts are here."""
    return clusters(cdk_variant)


@pytest.fixture
def rendered_case(case: str, clusters: Callable[[str], Cluster]) -> Cluster:
    """The same of one environment, or of one with everything."""
    return clusters(case)


@pytest.fixture
def environment_of_case(case: str) -> Environment:
    """What the team decided there."""
    return everything() if case == EVERYTHING else load_environment(case, ROOT / "environments")
