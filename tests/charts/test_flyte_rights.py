"""What Flyte may do in the Kubernetes API: what its code calls (v1.16.8), and no more."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from aerodrome_stacks.chart_values.flyte_rights import custom_resources, rights
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import Plugin
from tests.charts.batch_connector import surroundings_of
from tests.charts.deployed import CHARTS, DeployedRelease
from tests.charts.helm import Helm, Manifest
from tests.charts.project_objects import project_objects

WRITES = {"create", "delete", "deletecollection", "patch", "update", "bind", "escalate", "impersonate", "*"}


def rendered(helm: Helm, environment: Environment) -> Sequence[Manifest]:
    return helm.template(
        CHARTS / "aerodrome-flyte", release="aerodrome-flyte", namespace="flyte", values=surroundings_of(environment)
    )


def allowed(rules: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], set[str]]:
    """The verbs of a role's rules, by group and resource."""
    found: dict[tuple[str, str], set[str]] = {}
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def role(manifests: Sequence[Manifest], kind: str, name: str) -> dict[tuple[str, str], set[str]]:
    (found,) = [one for one in manifests if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return allowed(found["rules"])


def having(environment: Environment, **changes: object) -> Environment:
    return environment.model_copy(update={"flyte": environment.flyte.model_copy(update=changes)})


def test_flytepropeller_changes_nothing_outside_of_projects(flyte: DeployedRelease) -> None:
    rules = allowed(flyte.value("flytepropeller", "serviceAccount", "rbacRules"))

    assert ("flyte.lyft.com", "flyteworkflows") in rules
    assert set().union(*rules.values()) & WRITES == set()
    assert not {resource for _, resource in rules} & {"*", "secrets", "configmaps"}


@pytest.mark.cdk_variants("staging", "prod")
def test_flytepropeller_reads_and_makes_what_its_plugins_are_made_of(
    flyte: DeployedRelease, environment: Environment, helm: Helm
) -> None:
    reads = allowed(flyte.value("flytepropeller", "serviceAccount", "rbacRules"))
    makes = role(rendered(helm, environment), "ClusterRole", "flyte-task-objects")

    for made in (
        ("", "pods"),
        ("sparkoperator.k8s.io", "sparkapplications"),
        ("ray.io", "rayjobs"),
        ("kubeflow.org", "pytorchjobs"),
    ):
        assert reads[made] == {"get", "list", "watch"}
        assert makes[made] == {"create", "delete", "patch", "update"}
    # workflowstore/passthrough.go, and garbage_collector.go.
    assert makes["flyte.lyft.com", "flyteworkflows"] == {"update", "deletecollection"}


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize("plugins", [(), ("spark",), ("ray", "pytorch")])
def test_a_plugin_that_is_off_gives_no_rights(
    environment: Environment, helm: Helm, plugins: tuple[Plugin, ...]
) -> None:
    changed = having(environment, plugins=plugins)
    values: Any = rights(changed)
    own = {(one["apiGroup"], one["resource"]) for one in _mappings(custom_resources(changed))}

    assert len(own) == len(plugins)
    reads = allowed(values["flytepropeller"]["serviceAccount"]["rbacRules"])
    assert reads.keys() == {("", "pods"), ("", "podtemplates"), ("", "namespaces"), FLYTEWORKFLOWS, *own}
    makes = role(rendered(helm, changed), "ClusterRole", "flyte-task-objects")
    assert own < makes.keys()
    assert makes.keys() - own == {("", "pods"), ("", "events"), FLYTEWORKFLOWS, (GROUP, "flyteworkflows/finalizers")}


GROUP = "flyte.lyft.com"
FLYTEWORKFLOWS = (GROUP, "flyteworkflows")


def _mappings(values: Any) -> list[dict[str, str]]:  # noqa: ANN401 - any JSON value
    return [dict(value) for value in values]


def test_projects_bind_only_roles_that_flyteadmin_may_bind(
    flyte: DeployedRelease, environment: Environment, helm: Helm
) -> None:
    manifests = rendered(helm, environment)
    (own,) = [one for one in manifests if (one["kind"], one["metadata"]["name"]) == ("ClusterRole", "flyteadmin")]
    (binds,) = [rule for rule in own["rules"] if "bind" in rule["verbs"]]
    bindings = [one for one in project_objects(flyte, "fraud", "development") if one["kind"] == "RoleBinding"]

    assert binds["resources"] == ["clusterroles"]
    referred = {one["roleRef"]["name"] for one in bindings}
    assert "flyte-task-objects" in referred
    assert referred <= set(binds["resourceNames"])
    # Those are there, and may not do what would make them worth binding elsewhere.
    for name in binds["resourceNames"]:
        resources = {resource for _, resource in role(manifests, "ClusterRole", name)}
        assert not resources & {"*", "secrets", "serviceaccounts", "serviceaccounts/token", "rolebindings", "nodes"}
    assert "escalate" not in set().union(*allowed(own["rules"]).values())


def test_flytepropeller_is_bound_in_each_project(flyte: DeployedRelease) -> None:
    (binding,) = [
        one
        for one in project_objects(flyte, "fraud", "development")
        if one["kind"] == "RoleBinding" and one["metadata"]["name"] == "flytepropeller"
    ]

    assert binding["metadata"]["namespace"] == "fraud-development"
    assert binding["roleRef"]["kind"] == "ClusterRole"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "flytepropeller", "namespace": flyte.namespace}]


def test_flyteadmin_has_what_is_ours_and_not_the_charts_rule(
    flyte: DeployedRelease, environment: Environment, helm: Helm
) -> None:
    assert flyte.value("flyteadmin", "serviceAccount", "rbac") is False
    manifests = rendered(helm, environment)

    assert role(manifests, "ClusterRole", "flyteadmin") == {
        FLYTEWORKFLOWS: {"create", "delete"},
        **{
            ("", resource): {"create", "get", "patch"}
            for resource in ("limitranges", "namespaces", "resourcequotas", "serviceaccounts")
        },
        ("rbac.authorization.k8s.io", "rolebindings"): {"create", "get", "patch"},
        ("rbac.authorization.k8s.io", "clusterroles"): {"bind"},
    }


@pytest.mark.parametrize(("account", "secret"), [("flyteadmin", "flyte-admin-secrets"), ("flyte-pod-webhook",) * 2])
def test_who_makes_a_secret_reads_that_one_alone(
    environment: Environment, helm: Helm, account: str, secret: str
) -> None:
    (found,) = [
        one
        for one in rendered(helm, environment)
        if (one["kind"], one["metadata"]["name"]) == ("Role", account) and one["metadata"]["namespace"] == "flyte"
    ]
    rules = [rule for rule in found["rules"] if "secrets" in rule["resources"]]

    # Kubernetes does not know the name of what is to be made.
    assert [(rule["verbs"], rule.get("resourceNames")) for rule in rules] == [
        (["create"], None),
        (["get", "update"], [secret]),
    ]


def test_the_webhook_changes_its_own_configuration_alone(flyte: DeployedRelease) -> None:
    rules = flyte.value("webhook", "serviceAccount", "rbacRules")

    assert {resource for _, resource in allowed(rules)} == {"mutatingwebhookconfigurations"}
    assert [rule["verbs"] for rule in rules if "resourceNames" not in rule] == [["create"]]


@pytest.mark.cdk_variants("prod")
@pytest.mark.parametrize("shards", [0, 3])
def test_flytepropeller_makes_pods_beside_itself_only_for_shards(
    environment: Environment, helm: Helm, shards: int
) -> None:
    own = role(rendered(helm, having(environment, propeller_shards=shards)), "Role", "flytepropeller")

    assert own["coordination.k8s.io", "leases"] == {"create", "get", "update"}
    assert own.get(("", "pods"), set()) == ({"create", "delete"} if shards else set())


def test_every_binding_is_of_a_role_and_an_account_that_are_there(environment: Environment, helm: Helm) -> None:
    manifests = rendered(helm, environment)
    roles = {(one["kind"], one["metadata"]["name"]) for one in manifests}
    bindings = [one for one in manifests if one["kind"] in {"RoleBinding", "ClusterRoleBinding"}]

    assert len(bindings) >= 4
    for binding in bindings:
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in roles
        (subject,) = binding["subjects"]
        # Made by flyte-core, under the names that its templates fix.
        assert subject["name"] in {"flyteadmin", "flytepropeller", "flyte-pod-webhook"}
