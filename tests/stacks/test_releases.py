"""The stacks that install Helm releases: in which order, with which secrets, and what they say of what is open."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_cdk import AssemblyFactory
from pytest_cdk.assembly import Assembly
from tests.templates import resources, text

HELM_CHART = "Custom::AWSCDK-EKS-HelmChart"


def manifest(assembly: Assembly) -> Mapping[str, Any]:
    artifacts: Mapping[str, Any] = json.loads((assembly.directory / "manifest.json").read_text(encoding="utf-8"))[
        "artifacts"
    ]
    return artifacts


def stacks_before(assembly: Assembly, stack: str) -> set[str]:
    """The stacks that are deployed before one, by their part of the platform."""
    artifacts = manifest(assembly)
    return {artifacts[name].get("displayName", name) for name in artifacts[stack].get("dependencies", [])}


def releases(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The releases of a stack by name."""
    return {chart["Properties"]["Release"]: chart for chart in resources(template, HELM_CHART).values()}


def waits_for(template: Mapping[str, Any], release: str) -> set[str]:
    """The releases that are ready before one of the same stack is begun."""
    charts = resources(template, HELM_CHART)
    depends: Sequence[str] = releases(template)[release].get("DependsOn", [])
    return {charts[logical_id]["Properties"]["Release"] for logical_id in depends if logical_id in charts}


@pytest.mark.parametrize("release", ["external-secrets", "karpenter", "metrics-server"])
def test_the_load_balancer_controller_is_ready_before_anything_that_has_a_service(
    cdk_variant: str, cdk_assembly: AssemblyFactory, release: str
) -> None:
    addons = cdk_assembly(cdk_variant).template("Addons")

    assert waits_for(addons, release) == {"aerodrome-foundation", "aws-load-balancer-controller"}


@pytest.mark.parametrize(
    ("stack", "release", "first"),
    [
        # Their CRDs come with it.
        ("Addons", "aerodrome-node-pools", {"karpenter"}),
        ("Observability", "kube-prometheus-stack", {"monitoring-secrets"}),
        # Quotas, too, are there before the first task.
        # And so are the names that flytepropeller asks for, and the store without which it does not start.
        ("Orchestrator", "flyte", {"flyte-secrets", "aerodrome-projects", "aerodrome-flyte"}),
        # The migration of the database is done, and it needs the password.
        ("Tracking", "mlflow", {"aerodrome-mlflow"}),
        ("Tracking", "aerodrome-mlflow", {"mlflow-secrets"}),
    ],
)
def test_what_a_release_builds_on_is_there_before(
    cdk_variant: str, cdk_assembly: AssemblyFactory, stack: str, release: str, first: set[str]
) -> None:
    assert waits_for(cdk_assembly(cdk_variant).template(stack), release) == first


@pytest.mark.parametrize(
    ("stack", "before"),
    [
        ("Observability", {"Addons"}),
        # Their ServiceMonitors need the CRDs that come with Prometheus.
        ("Orchestrator", {"Addons", "Observability"}),
        ("Tracking", {"Addons", "Observability"}),
    ],
)
def test_stacks_wait_for_what_they_build_on(
    cdk_variant: str, cdk_assembly: AssemblyFactory, stack: str, before: set[str]
) -> None:
    assert before <= stacks_before(cdk_assembly(cdk_variant), stack)


def grafanas(template: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The properties of the secret of a name."""
    secrets = [one["Properties"] for one in template["Resources"].values() if one["Type"].endswith("Manager::Secret")]
    (found,) = (secret for secret in secrets if secret["Name"] == name)
    return dict(found)


def test_grafanas_password_is_made_in_secrets_manager_and_encrypted_with_our_key(
    cdk_variant: str, cdk_assembly: AssemblyFactory
) -> None:
    secret = grafanas(cdk_assembly(cdk_variant).template("Observability"), f"aerodrome/{cdk_variant}/grafana/admin")

    assert "aerodrome-" in text(secret["KmsKeyId"])
    assert "SecretString" not in secret
    assert secret["GenerateSecretString"]["GenerateStringKey"] == "password"
    assert json.loads(secret["GenerateSecretString"]["SecretStringTemplate"]) == {"username": "admin"}


def test_external_secrets_may_read_grafanas_password(cdk_variant: str, cdk_assembly: AssemblyFactory) -> None:
    # The operator's role reads secrets that carry this tag, and no others.
    template = cdk_assembly(cdk_variant).template("Observability")

    for name in ("admin", "secret-key"):
        secret = grafanas(template, f"aerodrome/{cdk_variant}/grafana/{name}")
        assert {"Key": "aerodrome:environment", "Value": cdk_variant} in secret["Tags"]


def test_secrets_reach_a_namespace_by_reference_to_the_stack_that_made_them(
    cdk_variant: str, cdk_assembly: AssemblyFactory
) -> None:
    values = text(releases(cdk_assembly(cdk_variant).template("Orchestrator"))["flyte-secrets"]["Properties"]["Values"])
    sources = json.loads(values)["secrets"]["flyte-database"]

    secrets = {key: source["secret"] for key, source in sources.items() if "secret" in source}
    assert sources.keys() - secrets.keys() == {"ca.pem"}, "certificates are public"
    assert secrets
    assert all(secret.startswith(f"${{aerodrome-{cdk_variant}-database:") for secret in secrets.values())
