"""Charts of our own, rendered for every environment by the helm that installs them."""

from collections.abc import Mapping

import pytest
import yaml

from aerodrome_stacks.chart_values.flyte_projects import team_namespaces
from aerodrome_stacks.environment import Environment
from tests.charts.deployed import CHARTS, DeployedRelease
from tests.charts.helm import KUBERNETES_VERSIONS, Helm, Manifest, problems

# What helm says of a namespace or a CRD that it must not delete.
KEEP = {"helm.sh/resource-policy": "keep"}


def own(releases: Mapping[str, DeployedRelease]) -> list[DeployedRelease]:
    found = [release for release in releases.values() if release.chart is None]
    assert len(found) > 1
    return found


def rendered(helm: Helm, release: DeployedRelease) -> list[Manifest]:
    return helm.template(release.folder, release=release.name, namespace=release.namespace, values=release.values)


def by_name(helm: Helm, release: DeployedRelease) -> dict[tuple[str, str], Manifest]:
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in rendered(helm, release)}


def test_helm_finds_nothing_to_complain_about(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    for release in own(releases):
        assert "0 chart(s) failed" in helm.lint(release.folder, release.values)


@pytest.mark.parametrize("kubernetes_version", KUBERNETES_VERSIONS)
def test_the_api_server_would_take_every_manifest(
    releases: Mapping[str, DeployedRelease], helm: Helm, kubernetes_version: str
) -> None:
    refused = {
        f"{release.name}: {manifest['kind']} {manifest['metadata']['name']}": found
        for release in own(releases)
        for manifest in rendered(helm, release)
        if (found := problems(manifest, kubernetes_version))
    }

    assert refused == {}


def test_the_check_refuses_what_the_api_server_refuses(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    secret = by_name(helm, releases["flyte-secrets"])["ExternalSecret", "flyte-database"]
    namespace = by_name(helm, releases["aerodrome-foundation"])["Namespace", "flyte"]

    assert problems({**secret, "spec": {**secret["spec"], "refreshIntervall": "1h"}}, "1.36")
    assert problems({**namespace, "spec": {"finalisers": []}}, "1.36")


def test_nothing_that_other_objects_live_in_goes_with_the_release(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    manifests = by_name(helm, releases["aerodrome-foundation"])
    homes = {
        name: manifest["metadata"]["annotations"]
        for (kind, name), manifest in manifests.items()
        if kind in {"Namespace", "CustomResourceDefinition"}
    }

    assert homes == dict.fromkeys(
        (
            "external-dns",
            "external-secrets",
            "flyte",
            "mlflow",
            "monitoring",
            "node-agents",
            "operators",
            "reloader",
            "flyteworkflows.flyte.lyft.com",
        ),
        KEEP,
    )


def test_every_namespace_of_a_release_exists(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    made = {name for kind, name in by_name(helm, releases["aerodrome-foundation"]) if kind == "Namespace"}
    needed = {release.namespace for release in releases.values()}

    # kube-system is there before us.
    assert needed - made == {"kube-system"}


def test_every_namespace_enforces_pod_security(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    enforced = {
        name: manifest["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for (kind, name), manifest in by_name(helm, releases["aerodrome-foundation"]).items()
        if kind == "Namespace"
    }

    assert enforced == {
        "external-dns": "restricted",
        "external-secrets": "restricted",
        "flyte": "baseline",
        "mlflow": "restricted",
        "monitoring": "restricted",
        "node-agents": "privileged",
        "operators": "restricted",
        "reloader": "restricted",
    }


def test_volumes_are_encrypted_and_made_in_the_zone_of_their_pod(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    storage = by_name(helm, releases["aerodrome-foundation"])["StorageClass", "gp3"]

    assert storage["parameters"] == {"type": "gp3", "encrypted": "true"}
    assert storage["volumeBindingMode"] == "WaitForFirstConsumer"
    assert storage["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"


def test_the_crd_of_executions_keeps_what_flyteadmin_writes(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    crd = by_name(helm, releases["aerodrome-foundation"])["CustomResourceDefinition", "flyteworkflows.flyte.lyft.com"]
    (version,) = crd["spec"]["versions"]

    assert crd["spec"]["scope"] == "Namespaced"
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
    assert version["schema"]["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] is True


def test_secrets_come_from_the_region_of_the_environment(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    for release in (releases[name] for name in ("flyte-secrets", "mlflow-secrets", "monitoring-secrets")):
        store = by_name(helm, release)["SecretStore", "aws-secrets-manager"]

        assert store["metadata"]["namespace"] == release.namespace
        assert store["spec"]["provider"]["aws"] == {"service": "SecretsManager", "region": release.values["region"]}


def test_each_key_of_a_secret_names_its_source(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    secret = by_name(helm, releases["flyte-secrets"])["ExternalSecret", "flyte-database"]
    data = {entry["secretKey"]: entry["remoteRef"] for entry in secret["spec"]["data"]}

    assert data.keys() == {"pass.txt", "datacatalog.txt"}
    assert all(reference["property"] == "password" for reference in data.values())
    # Two users, two passwords.
    assert data["pass.txt"]["key"] != data["datacatalog.txt"]["key"]
    assert secret["spec"]["target"]["deletionPolicy"] == "Retain"


def test_certificates_stand_beside_what_is_read(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    release = releases["mlflow-secrets"]
    secret = by_name(helm, release)["ExternalSecret", "mlflow-database"]["spec"]

    assert {entry["secretKey"] for entry in secret["data"]} == {"username", "password"}
    # The default, Replace, would leave nothing but the certificates.
    assert secret["target"]["template"]["mergePolicy"] == "Merge"
    (pem,) = secret["target"]["template"]["data"].values()
    assert pem == release.value("secrets", "mlflow-database", "ca.pem", "certificates")
    assert pem.startswith("-----BEGIN CERTIFICATE-----\n")
    assert "{{" not in pem
    grafana = by_name(helm, releases["monitoring-secrets"])["ExternalSecret", "grafana-admin"]["spec"]
    assert "template" not in grafana["target"]


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ({"certificates": "hunter2"}, "does not match pattern"),
        ({"certificates": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "secret": "x"}, "maxProp"),
    ],
)
def test_nothing_but_certificates_stands_in_values(
    releases: Mapping[str, DeployedRelease], helm: Helm, source: Mapping[str, str], complaint: str
) -> None:
    release = releases["flyte-secrets"]

    with pytest.raises(AssertionError, match=complaint):
        helm.lint(release.folder, {**release.values, "secrets": {"flyte-database": {"pass.txt": source}}})


@pytest.mark.cdk_variants("dev")
def test_a_secret_without_a_source_is_refused_by_the_charts_schema(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    release = releases["flyte-secrets"]
    values = {**release.values, "secrets": {"flyte-database": {"pass.txt": {"property": "password"}}}}

    with pytest.raises(AssertionError, match="missing property 'secret'"):
        helm.lint(release.folder, values)


def test_each_team_has_its_own_quota_in_its_namespace(
    releases: Mapping[str, DeployedRelease], helm: Helm, environment: Environment
) -> None:
    manifests = rendered(helm, releases["aerodrome-projects"])
    found = {
        manifest["metadata"]["namespace"]: manifest["spec"]["hard"]
        for manifest in manifests
        if manifest["kind"] == "ResourceQuota"
    }

    assert found == {
        f"{project.name}-{domain}": {
            "limits.cpu": str(quota.cpu),
            "limits.memory": f"{quota.memory_gib}Gi",
            "requests.nvidia.com/gpu": str(quota.gpu),
        }
        for project in environment.projects
        for domain, quota in project.domains.items()
    }


@pytest.mark.cdk_variants("dev")
def test_no_pod_gets_into_a_domain_that_a_project_does_not_have(
    releases: Mapping[str, DeployedRelease], helm: Helm, environment: Environment
) -> None:
    fraud, forecast = environment.projects
    quota = fraud.domains["development"]
    elsewhere = forecast.model_copy(update={"domains": {"production": quota}})
    changed = environment.model_copy(update={"projects": (fraud, elsewhere)})

    manifests = helm.template(
        CHARTS / "aerodrome-projects",
        release="aerodrome-projects",
        namespace="flyte",
        values={**releases["aerodrome-projects"].values, **team_namespaces(changed)},
    )

    closed = {
        manifest["metadata"]["namespace"]
        for manifest in manifests
        if manifest["kind"] == "ResourceQuota" and manifest["spec"]["hard"] == {"pods": "0"}
    }
    assert closed == {"fraud-detection-production", "demand-forecast-development"}


def test_flyte_and_our_chart_say_the_same_of_a_projects_namespace(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    # Both apply it, Flyte every five minutes: what they set differently would change back and forth.
    manifests = rendered(helm, releases["aerodrome-projects"])
    template = releases["flyte"].value("cluster_resource_manager", "templates")[0]["value"]
    for manifest in manifests:
        if manifest["kind"] != "Namespace":
            continue
        labels = manifest["metadata"]["labels"]
        project, domain = labels["aerodrome.io/project"], labels["aerodrome.io/domain"]
        text = template.replace("{{ namespace }}", f"{project}-{domain}")
        ours = yaml.safe_load(text.replace("{{ project }}", project).replace("{{ domain }}", domain))

        assert ours["metadata"]["name"] == manifest["metadata"]["name"]
        assert ours["metadata"]["labels"].items() <= labels.items()
