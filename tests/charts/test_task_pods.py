"""What the pods of tasks keep of Pod Security's `restricted`; what not is exactly what identity.md says."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease
from tests.charts.project_objects import project_object
from tests.templates import ROOT

PROJECT = "fraud-detection"

Spec = Mapping[str, Any]

# What `restricted` asks of a pod beyond what `baseline` does, each with whether a pod keeps it
# (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted).
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
RESTRICTED: Mapping[str, Callable[[Spec], bool]] = {
    "volumes": lambda pod: all(volume.keys() - {"name"} <= VOLUMES for volume in pod.get("volumes", [])),
    "allowPrivilegeEscalation: false": lambda pod: every(pod, "allowPrivilegeEscalation", lambda value: value is False),
    "runAsNonRoot: true": lambda pod: every(pod, "runAsNonRoot", lambda value: value is True),
    "runAsUser": lambda pod: every(pod, "runAsUser", lambda value: value != 0),
    "seccompProfile": lambda pod: every(
        pod, "seccompProfile", lambda value: (value or {}).get("type") in {"RuntimeDefault", "Localhost"}
    ),
    "capabilities.drop: [ALL]": lambda pod: every(
        pod,
        "capabilities",
        lambda value: "ALL" in (value or {}).get("drop", []) and set(value.get("add", [])) <= {"NET_BIND_SERVICE"},
    ),
}


def every(pod: Spec, key: str, kept: Callable[[Any], bool]) -> bool:
    """Whether a setting is as it should be in each container, of its own or by the pod's."""
    whole = pod.get("securityContext", {}).get(key)
    return all(kept(one.get("securityContext", {}).get(key, whole)) for one in pod["containers"])


def lacking(pod: Spec) -> set[str]:
    return {control for control, keeps in RESTRICTED.items() if not keeps(pod)}


@pytest.fixture
def domain(environment: Environment) -> str:
    (project,) = [one for one in environment.projects if one.name == PROJECT]
    return next(iter(project.domains))


@pytest.fixture
def template(flyte: DeployedRelease, domain: str) -> Spec:
    """The pod template of a project."""
    found: Spec = project_object(flyte, PROJECT, domain, "PodTemplate", "aerodrome-task")["template"]
    return found


@pytest.fixture
def pod(template: Spec) -> dict[str, Any]:
    """The pod of a task that says nothing itself, as flytepropeller makes it.

    `default` stands for each of its containers, and `primary` goes before it for the one with the code
    (MergeWithBasePodTemplate of flyteplugins v1.16.8).
    """
    by_name = {container["name"]: container for container in template["spec"]["containers"]}
    primary = {**by_name["default"], **by_name["primary"]}
    return {**template["spec"], "containers": [primary]}


def test_what_a_task_lacks_of_restricted_is_what_the_page_says(pod: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "explanation" / "identity.md").read_text(encoding="utf-8")
    section = page.partition("## What a task may do on its node\n")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([^`]+)` \|.*\S.*\|$", section, re.MULTILINE)
    assert documented
    assert sorted(lacking(pod)) == sorted(documented)


def test_a_task_has_the_runtimes_filter_of_system_calls(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_a_task_is_left_where_it_is(template: Spec) -> None:
    assert template["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"


def test_a_task_has_a_token_for_kubernetes_only_where_a_plugin_asks_it(
    flyte: DeployedRelease, environment: Environment, domain: str, pod: dict[str, Any]
) -> None:
    account = project_object(flyte, PROJECT, domain, "ServiceAccount", pod.get("serviceAccountName", "default"))
    mounted = pod.get("automountServiceAccountToken", account["automountServiceAccountToken"])
    assert mounted is bool({"spark", "ray"} & set(environment.flyte.plugins))


def test_a_task_that_asks_for_nothing_has_requests_and_limits_of_its_namespace(
    flyte: DeployedRelease, domain: str, pod: dict[str, Any]
) -> None:
    (limits,) = project_object(flyte, PROJECT, domain, "LimitRange", "container-limits")["spec"]["limits"]
    assert all("resources" not in container for container in pod["containers"])
    for kind in ("defaultRequest", "default", "max"):
        assert limits[kind].keys() == {"cpu", "memory"}, kind


def test_a_task_has_nothing_of_its_node(flyte: DeployedRelease, domain: str, pod: dict[str, Any]) -> None:
    # Nor could it ask for it: `baseline` refuses that in its namespace.
    labels = project_object(flyte, PROJECT, domain, "Namespace", f"{PROJECT}-{domain}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    assert labels["pod-security.kubernetes.io/warn"] == "restricted"
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert not any("hostPath" in volume for volume in pod["volumes"])


@pytest.mark.parametrize(
    ("control", "pod", "container"),
    [
        ("volumes", {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}, {}),
        ("runAsUser", {"securityContext": {"runAsUser": 0}}, {}),
        ("seccompProfile", {}, {"seccompProfile": {"type": "Unconfined"}}),
        ("allowPrivilegeEscalation: false", {}, {"allowPrivilegeEscalation": True}),
        ("capabilities.drop: [ALL]", {}, {"capabilities": {"drop": ["NET_RAW"]}}),
        ("capabilities.drop: [ALL]", {}, {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}),
        ("runAsNonRoot: true", {"securityContext": {"runAsNonRoot": True}}, {"runAsNonRoot": False}),
    ],
)
def test_a_pod_that_lacks_something_is_found(control: str, pod: dict[str, Any], container: dict[str, Any]) -> None:
    context = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"]},
    }
    assert lacking({"containers": [{"securityContext": context}]}) == set()
    assert lacking({**pod, "containers": [{"securityContext": {**context, **container}}]}) == {control}
