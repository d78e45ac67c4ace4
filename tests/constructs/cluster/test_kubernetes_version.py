import pytest

from aerodrome_constructs.cluster import KUBERNETES_RELEASES
from tests.templates import new_stack, only, synthesized


def test_versions_are_1_34_or_newer() -> None:
    assert KUBERNETES_RELEASES
    assert all(tuple(map(int, version.split("."))) >= (1, 34) for version in KUBERNETES_RELEASES)


@pytest.mark.parametrize("version", KUBERNETES_RELEASES)
def test_each_version_brings_its_own_kubectl_and_a_helm(version: str) -> None:
    release = KUBERNETES_RELEASES[version]
    stack = new_stack()
    release.kubectl_layer(stack, "Layer")
    description = only(synthesized(stack), "AWS::Lambda::LayerVersion")["Description"]
    assert release.version.version == version
    assert f"kubectl {version}." in description
    assert "helm 4." in description
