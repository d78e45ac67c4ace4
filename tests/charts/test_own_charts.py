"""Charts of our own, rendered for every environment by the helm that installs them."""

from collections.abc import Mapping

import pytest
from tests.charts.deployed import DeployedRelease
from tests.charts.helm import KUBERNETES_VERSIONS, Helm, Manifest, problems

# What helm says of a namespace or a CRD that it must not delete.
KEEP = {"helm.sh/resource-policy": "keep"}


def own(releases: Mapping[str, DeployedRelease]) -> list[DeployedRelease]:
    found = [release for release in releases.values() if release.chart is None]
    assert len(found) > 1
    return found


def rendered(helm: Helm, release: DeployedRelease) -> dict[tuple[str, str], Manifest]:
    manifests = helm.template(release.folder, release=release.name, namespace=release.namespace, values=release.values)
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}


def test_helm_finds_nothing_to_complain_about(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    for release in own(releases):
        assert "0 chart(s) failed" in helm.lint(release.folder, release.values)


@pytest.mark.parametrize("kubernetes_version", KUBERNETES_VERSIONS)
def test_the_api_server_would_take_every_manifest(
    releases: Mapping[str, DeployedRelease], helm: Helm, kubernetes_version: str
) -> None:
    refused = {
        f"{release.name}: {kind} {name}": found
        for release in own(releases)
        for (kind, name), manifest in rendered(helm, release).items()
        if (found := problems(manifest, kubernetes_version))
    }

    assert refused == {}


def test_the_check_refuses_what_the_api_server_refuses(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    secret = rendered(helm, releases["flyte-secrets"])["ExternalSecret", "flyte-database"]
    namespace = rendered(helm, releases["aerodrome-foundation"])["Namespace", "flyte"]

    assert problems({**secret, "spec": {**secret["spec"], "refreshIntervall": "1h"}}, "1.36")
    assert problems({**namespace, "spec": {"finalisers": []}}, "1.36")


def test_nothing_that_other_objects_live_in_goes_with_the_release(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    manifests = rendered(helm, releases["aerodrome-foundation"])
    homes = {
        name: manifest["metadata"]["annotations"]
        for (kind, name), manifest in manifests.items()
        if kind in {"Namespace", "CustomResourceDefinition"}
    }

    assert homes == dict.fromkeys(
        ("external-secrets", "flyte", "mlflow", "monitoring", "flyteworkflows.flyte.lyft.com"), KEEP
    )


def test_every_namespace_of_a_release_exists(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    made = {name for kind, name in rendered(helm, releases["aerodrome-foundation"]) if kind == "Namespace"}
    needed = {release.namespace for release in releases.values()}

    # kube-system is there before us.
    assert needed - made == {"kube-system"}


def test_every_namespace_enforces_pod_security(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    enforced = {
        name: manifest["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for (kind, name), manifest in rendered(helm, releases["aerodrome-foundation"]).items()
        if kind == "Namespace"
    }

    assert enforced == {
        "external-secrets": "restricted",
        "flyte": "baseline",
        "mlflow": "restricted",
        "monitoring": "privileged",
    }


def test_volumes_are_encrypted_and_made_in_the_zone_of_their_pod(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    storage = rendered(helm, releases["aerodrome-foundation"])["StorageClass", "gp3"]

    assert storage["parameters"] == {"type": "gp3", "encrypted": "true"}
    assert storage["volumeBindingMode"] == "WaitForFirstConsumer"
    assert storage["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"


def test_the_crd_of_executions_keeps_what_flyteadmin_writes(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    crd = rendered(helm, releases["aerodrome-foundation"])["CustomResourceDefinition", "flyteworkflows.flyte.lyft.com"]
    (version,) = crd["spec"]["versions"]

    assert crd["spec"]["scope"] == "Namespaced"
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
    assert version["schema"]["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] is True


def test_secrets_come_from_the_region_of_the_environment(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    for release in (releases[name] for name in ("flyte-secrets", "mlflow-secrets", "monitoring-secrets")):
        store = rendered(helm, release)["SecretStore", "aws-secrets-manager"]

        assert store["metadata"]["namespace"] == release.namespace
        assert store["spec"]["provider"]["aws"] == {"service": "SecretsManager", "region": release.values["region"]}


def test_each_key_of_a_secret_names_its_source(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    secret = rendered(helm, releases["flyte-secrets"])["ExternalSecret", "flyte-database"]
    data = {entry["secretKey"]: entry["remoteRef"] for entry in secret["spec"]["data"]}

    assert data.keys() == {"pass.txt", "datacatalog.txt"}
    assert all(reference["property"] == "password" for reference in data.values())
    # Two users, two passwords.
    assert data["pass.txt"]["key"] != data["datacatalog.txt"]["key"]
    assert secret["spec"]["target"]["deletionPolicy"] == "Retain"


@pytest.mark.cdk_variants("dev")
def test_a_secret_without_a_source_is_refused_by_the_charts_schema(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    release = releases["flyte-secrets"]
    values = {**release.values, "secrets": {"flyte-database": {"pass.txt": {"property": "password"}}}}

    with pytest.raises(AssertionError, match="missing property 'secret'"):
        helm.lint(release.folder, values)
