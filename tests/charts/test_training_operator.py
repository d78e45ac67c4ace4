"""The chart of the operator behind tasks on PyTorch."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.charts.deployed import CHARTS
from tests.charts.helm import Helm, Manifest

CHART = CHARTS / "aerodrome-training-operator"
NAME = "aerodrome-training-operator"
# The group and the resources of upstream's manifests that are for PyTorchJobs (kubeflow/trainer, tag v1.9.4,
# pkg/controller.v1/pytorch/pytorchjob_controller.go, +kubebuilder:rbac) and for the webhook's certificate (pkg/cert).
NEEDED = {
    ("kubeflow.org", "pytorchjobs"),
    ("kubeflow.org", "pytorchjobs/status"),
    ("kubeflow.org", "pytorchjobs/finalizers"),
    ("", "pods"),
    ("", "services"),
    ("", "events"),
    ("events.k8s.io", "events"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
}

Manifests = Mapping[tuple[str, str], Manifest]


def rendered(helm: Helm, values: Mapping[str, Any] | None = None) -> Manifests:
    made = helm.template(CHART, release=NAME, namespace="operators", values=values or {})
    return {(one["kind"], one["metadata"]["name"]): one for one in made}


@pytest.fixture
def manifests(helm: Helm) -> Manifests:
    return rendered(helm)


@pytest.fixture
def pod(manifests: Manifests) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = manifests["Deployment", "training-operator"]["spec"]["template"]["spec"]
    return spec


def test_the_crd_outlives_the_release_and_is_what_flyte_makes(manifests: Manifests) -> None:
    crd = manifests["CustomResourceDefinition", "pytorchjobs.kubeflow.org"]
    (version,) = crd["spec"]["versions"]
    assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert (crd["spec"]["group"], crd["spec"]["names"]["kind"], version["name"]) == ("kubeflow.org", "PyTorchJob", "v1")
    assert (version["served"], version["storage"]) == (True, True)
    # flytepropeller writes the whole of a pod in there, and reads conditions.
    assert version["schema"]["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] is True
    assert version["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"] is True
    assert version["subresources"]["status"] == {}


def test_it_works_on_pytorch_jobs_alone_one_at_a_time(pod: Mapping[str, Any]) -> None:
    (container,) = pod["containers"]
    assert [one for one in container["args"] if one.startswith("--enable-scheme")] == ["--enable-scheme=pytorchjob"]
    # Two that both work make every pod twice.
    assert "--leader-elect" in container["args"]


def test_it_has_the_rights_that_it_needs_and_no_others(manifests: Manifests) -> None:
    rules = manifests["ClusterRole", "aerodrome-training-operator"]["rules"]
    assert {(group, one) for rule in rules for group in rule["apiGroups"] for one in rule["resources"]} == NEEDED
    assert all("*" not in rule["verbs"] for rule in rules)
    changed = [
        rule for rule in rules if "validatingwebhookconfigurations" in rule["resources"] and "update" in rule["verbs"]
    ]
    assert [rule["resourceNames"] for rule in changed] == [["validator.training-operator.kubeflow.org"]]


def test_it_writes_the_secret_of_its_certificate_and_no_other(manifests: Manifests, pod: Mapping[str, Any]) -> None:
    role = manifests["Role", "training-operator"]
    secrets = [rule for rule in role["rules"] if "secrets" in rule["resources"]]
    assert role["metadata"]["namespace"] == "operators"
    (written,) = [rule for rule in secrets if "update" in rule["verbs"]]
    assert written["resourceNames"] == ["training-operator-webhook-cert"]
    assert {verb for rule in secrets for verb in rule["verbs"]} == {"get", "list", "watch", "update"}
    # Helm would take out again what the operator put in.
    secret = manifests["Secret", "training-operator-webhook-cert"]
    assert not secret.keys() & {"data", "stringData"}
    (mounted,) = [one for one in pod["volumes"] if "secret" in one]
    assert mounted["secret"]["secretName"] == secret["metadata"]["name"]


def test_its_lease_is_the_one_that_it_may_take(manifests: Manifests, pod: Mapping[str, Any]) -> None:
    (named,) = [one for one in pod["containers"][0]["args"] if one.startswith("--leader-election-id=")]
    rules = manifests["Role", "training-operator"]["rules"]
    (held,) = [rule for rule in rules if "leases" in rule["resources"] and "update" in rule["verbs"]]
    assert held["resourceNames"] == [named.partition("=")[2]]


def test_the_api_server_finds_its_webhook(manifests: Manifests, pod: Mapping[str, Any]) -> None:
    # The operator looks for its configuration and its Service by these names.
    configuration = manifests["ValidatingWebhookConfiguration", "validator.training-operator.kubeflow.org"]
    (webhook,) = configuration["webhooks"]
    called = webhook["clientConfig"]["service"]
    service = manifests["Service", called["name"]]
    assert (called["namespace"], called["path"]) == ("operators", "/validate-kubeflow-org-v1-pytorchjob")
    (port,) = [one for one in service["spec"]["ports"] if one["port"] == called["port"]]
    ports = {one["name"]: one["containerPort"] for one in pod["containers"][0]["ports"]}
    assert ports[port["targetPort"]] == 9443
    labels = manifests["Deployment", "training-operator"]["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    (namespace,) = [one for one in pod["containers"][0]["env"] if one["name"] == "MY_POD_NAMESPACE"]
    assert namespace["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"


def test_one_of_two_stays_when_a_node_goes(manifests: Manifests, pod: Mapping[str, Any]) -> None:
    deployment = manifests["Deployment", "training-operator"]["spec"]
    budget = manifests["PodDisruptionBudget", "training-operator"]["spec"]
    assert (deployment["replicas"], budget["maxUnavailable"]) == (2, 1)
    assert budget["selector"] == deployment["selector"]
    assert {one["topologyKey"] for one in pod["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }


def test_one_alone_has_no_budget_that_would_hold_up_a_node(helm: Helm) -> None:
    assert ("PodDisruptionBudget", "training-operator") not in rendered(helm, {"replicas": 1})


def test_a_worker_waits_for_its_master_longer_than_a_node_with_gpus_takes(
    manifests: Manifests, pod: Mapping[str, Any]
) -> None:
    (tries,) = [one for one in pod["containers"][0]["args"] if one.startswith("--pytorch-init-container-max-tries=")]
    # Two seconds each. A node takes five minutes, and its image as long again.
    assert int(tries.partition("=")[2]) * 2 >= 20 * 60
    text = manifests["ConfigMap", "training-operator"]["data"]["initContainer.yaml"]
    filled = (
        text.replace("{{.InitContainerImage}}", "python:3")
        .replace("{{.MaxTries}}", "900")
        .replace("{{.MasterAddr}}", "a1b2-n0-0-master-0")
    )
    assert "{{" not in filled
    (container,) = yaml.safe_load(filled)
    assert (container["image"], container["command"][:2]) == ("python:3", ["sh", "-c"])
    assert "seq 900" in container["command"][2]
    assert "getent hosts a1b2-n0-0-master-0" in container["command"][2]
    # Quotas refuse a container that says nothing.
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    context = container["securityContext"]
    assert (context["runAsNonRoot"], context["allowPrivilegeEscalation"]) == (True, False)
    assert context["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("image", ["", "ghcr.io/kubeflow/training-v1/training-operator", "x:"])
def test_an_image_without_a_tag_is_refused(helm: Helm, image: str) -> None:
    with pytest.raises(AssertionError, match="does not match pattern"):
        rendered(helm, {"image": image})
