"""What each project has in each domain, as flyteadmin makes it from the templates of Flyte's release."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.task_limits import pod_limits
from tests.charts.deployed import DeployedRelease
from tests.charts.helm import Helm
from tests.charts.project_objects import domain_values, project_object, project_objects

PROJECT = "fraud-detection"

Made = Callable[[str, str], dict[str, Any]]


@pytest.fixture
def domain(environment: Environment) -> str:
    """A domain that the project has."""
    (project,) = [project for project in environment.projects if project.name == PROJECT]
    return next(iter(project.domains))


@pytest.fixture
def made(flyte: DeployedRelease, domain: str) -> Made:
    """A function from kind and name to what flyteadmin makes for the project."""
    return lambda kind, name: project_object(flyte, PROJECT, domain, kind, name)


def test_templates_are_applied_namespace_first(flyte: DeployedRelease) -> None:
    # flyteadmin goes through the files in the order of their names.
    keys = [template["key"] for template in flyte.value("cluster_resource_manager", "templates")]

    assert keys == sorted(keys)
    assert len(keys) == len(set(keys)) > 1
    assert "namespace" in keys[0]


def test_a_template_is_one_object_and_leaves_nothing_to_helm(flyte: DeployedRelease) -> None:
    # flyteadmin decodes one document a file, and the chart applies no `tpl`.
    for template in flyte.value("cluster_resource_manager", "templates"):
        assert "\n---" not in template["value"]
        assert "$" not in template["value"].replace("${", ""), template["key"]


def test_a_projects_namespace_says_whose_it_is(made: Made, domain: str) -> None:
    namespace = made("Namespace", f"{PROJECT}-{domain}")

    assert namespace["metadata"]["labels"]["aerodrome.io/project"] == PROJECT
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"


def test_a_projects_pods_have_its_role_by_their_service_account(
    made: Made, environment: Environment, domain: str
) -> None:
    account = made("ServiceAccount", "default")

    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == (
        f"arn:aws:iam::{environment.account}:role/aerodrome-{environment.name}-{PROJECT}-{domain}"
    )


def test_pods_have_a_token_for_kubernetes_only_where_a_plugin_asks_it(made: Made, environment: Environment) -> None:
    asking = bool({"spark", "ray"} & set(environment.flyte.plugins))

    assert made("ServiceAccount", "default")["automountServiceAccountToken"] is asking


def test_what_flyteadmin_knows_of_a_domain_is_the_most_that_a_project_has_there(
    flyte: DeployedRelease, environment: Environment
) -> None:
    # The chart's quotas are 2 to 5 CPUs.
    for domain in environment.used_domains:
        quotas = [project.domains[domain] for project in environment.projects if domain in project.domains]
        values = domain_values(flyte, domain)
        assert values["projectQuotaCpu"] == str(max(quota.cpu for quota in quotas))
        assert values["projectQuotaMemory"] == f"{max(quota.memory_gib for quota in quotas)}Gi"
        assert values["projectQuotaGpu"] == str(max(quota.gpu for quota in quotas))


def test_a_namespace_has_the_ceiling_that_flyteadmin_knows(made: Made, flyte: DeployedRelease, domain: str) -> None:
    values = domain_values(flyte, domain)

    assert made("ResourceQuota", "domain-ceiling")["spec"]["hard"] == {
        "limits.cpu": values["projectQuotaCpu"],
        "limits.memory": values["projectQuotaMemory"],
        "requests.nvidia.com/gpu": values["projectQuotaGpu"],
    }


def test_a_container_that_fits_no_node_is_refused_instead_of_waiting(
    made: Made, environment: Environment, domain: str
) -> None:
    (limits,) = made("LimitRange", "container-limits")["spec"]["limits"]
    most = pod_limits(environment, environment.largest_quota(domain))  # type: ignore[arg-type]  # one of its domains

    assert limits["type"] == "Container"
    # No GPUs: with a maximum of what a container does not ask for, it is refused.
    assert limits["max"] == {"cpu": str(most.cpu), "memory": f"{most.memory_gib}Gi"}


def test_whoever_asks_for_nothing_gets_the_same_of_flyteadmin_of_propeller_and_of_the_namespace(
    made: Made, flyte: DeployedRelease
) -> None:
    (limits,) = made("LimitRange", "container-limits")["spec"]["limits"]
    defaults = flyte.value("configmap", "task_resource_defaults", "task_resources", "defaults")
    pods = flyte.value("configmap", "k8s", "plugins", "k8s")

    assert limits["default"] == limits["defaultRequest"] == defaults
    assert {"cpu": pods["default-cpus"], "memory": pods["default-memory"]} == defaults


@pytest.fixture
def pod_template(made: Made, flyte: DeployedRelease) -> dict[str, Any]:
    """The template by the name that flytepropeller looks for."""
    return made("PodTemplate", flyte.value("configmap", "k8s", "plugins", "k8s", "default-pod-template-name"))


def containers(pod_template: Mapping[str, Any]) -> dict[str, Any]:
    return {container["name"]: container for container in pod_template["template"]["spec"]["containers"]}


def test_the_pod_template_stands_for_all_containers_and_is_none_itself(pod_template: dict[str, Any]) -> None:
    # Flyte joins lists: a command from here would stand before that of the task.
    assert set(containers(pod_template)) == {"default", "primary"}
    for container in containers(pod_template).values():
        assert not {"command", "args", "resources", "ports"} & set(container)


def test_an_image_is_asked_for_at_each_start(pod_template: dict[str, Any]) -> None:
    # The API server fills in what is missing by the image that stands here, and Flyte keeps it for the task's.
    assert {container["imagePullPolicy"] for container in containers(pod_template).values()} == {"Always"}


def test_karpenter_leaves_a_task_where_it_is(pod_template: dict[str, Any]) -> None:
    assert pod_template["template"]["metadata"]["annotations"] == {"karpenter.sh/do-not-disrupt": "true"}


def test_a_pod_says_whose_it_is(pod_template: dict[str, Any], domain: str) -> None:
    assert pod_template["template"]["metadata"]["labels"] == {
        "aerodrome.io/project": PROJECT,
        "aerodrome.io/domain": domain,
    }


def test_a_task_keeps_what_pod_security_asks_for_as_far_as_its_image_bears_it(pod_template: dict[str, Any]) -> None:
    pod = pod_template["template"]["spec"]

    assert pod["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert containers(pod_template)["default"]["securityContext"] == {"allowPrivilegeEscalation": False}


def test_mlflow_knows_a_task_by_a_token_that_is_good_for_nothing_else(pod_template: dict[str, Any]) -> None:
    (volume,) = pod_template["template"]["spec"]["volumes"]
    (source,) = volume["projected"]["sources"]
    (mount,) = containers(pod_template)["primary"]["volumeMounts"]

    assert source == {"serviceAccountToken": {"audience": "mlflow", "expirationSeconds": 3600, "path": "token"}}
    assert (mount["name"], mount["readOnly"]) == (volume["name"], True)
    assert mount["mountPath"] == "/var/run/secrets/aerodrome/mlflow"
    (variable,) = containers(pod_template)["primary"]["env"]
    assert variable == {"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow.mlflow.svc.cluster.local"}


def test_where_a_task_runs_is_left_to_flyte(pod_template: dict[str, Any], flyte: DeployedRelease) -> None:
    # Of tolerations and selectors Flyte would keep both: a spot task could not go elsewhere at its last attempt.
    assert not {"tolerations", "nodeSelector", "affinity"} & set(pod_template["template"]["spec"])
    settings = flyte.value("configmap", "k8s", "plugins", "k8s")
    assert settings["interruptible-tolerations"]
    assert settings["interruptible-node-selector-requirement"]
    assert settings["non-interruptible-node-selector-requirement"]


def test_flyteadmin_may_make_every_kind_of_object(
    releases: Mapping[str, DeployedRelease], flyte: DeployedRelease, helm: Helm, domain: str
) -> None:
    release = releases["aerodrome-projects"]
    manifests = {
        manifest["kind"]: manifest
        for manifest in helm.template(
            release.folder, release=release.name, namespace=release.namespace, values=release.values
        )
    }
    # The ClusterRole `flyteadmin` of charts/aerodrome-flyte.
    theirs = {"Namespace", "ServiceAccount", "ResourceQuota", "LimitRange", "RoleBinding"}
    rules = manifests["ClusterRole"]["rules"]
    ours = {(*rule["apiGroups"], *rule["resources"]) for rule in rules}

    kinds = {one["kind"] for one in project_objects(flyte, PROJECT, domain)}
    assert {"PodTemplate", "NetworkPolicy"} == kinds - theirs
    assert ours == {("", "podtemplates"), ("networking.k8s.io", "networkpolicies")}
    # What flyteadmin/pkg/clusterresource/controller.go calls: Create, and where the object is there, Get and Patch.
    assert {tuple(rule["verbs"]) for rule in rules} == {("create", "get", "patch")}
    binding = manifests["ClusterRoleBinding"]
    assert binding["roleRef"]["name"] == manifests["ClusterRole"]["metadata"]["name"]
    account = flyte.value("cluster_resource_manager", "service_account_name")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": flyte.namespace}]
