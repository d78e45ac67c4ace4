"""When Karpenter takes a node away: never from a running task, by the tenth, and in the maintenance window."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from aerodrome_stacks.chart_values.node_pools import NodeClassInputs, node_pools
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.nodes import MaintenanceWindow, SpotNodes
from pytest_cdk import AssemblyFactory
from tests.charts.deployed import CHARTS, DeployedRelease, resources_of
from tests.charts.helm import Helm, Manifest, problems
from tests.templates import statements

RELEASE = "aerodrome-node-pools"
INPUTS = NodeClassInputs(
    image_alias="al2023@v20260923", instance_profile="nodes", subnet_ids=["subnet-1"], security_group_id="sg-1"
)
GPU = SpotNodes(name="gpu", instance_types=("g6.2xlarge", "g5.2xlarge"), max_size=5)
WINDOW = MaintenanceWindow(starts="0 22 * * 1-5", lasts=timedelta(hours=6))
REPLACED = ["Drifted", "Underutilized"]
ALWAYS = [{"nodes": "100%", "reasons": ["Empty"]}, {"nodes": "10%", "reasons": REPLACED}]


def render(environment: Environment, helm: Helm, **cluster: object) -> list[Manifest]:
    """The nodes of an environment, with something of its cluster changed."""
    changed = environment.model_copy(update={"cluster": environment.cluster.model_copy(update=cluster)})
    values = node_pools(changed, INPUTS)
    return helm.template(CHARTS / RELEASE, release=RELEASE, namespace="kube-system", values=values)


def pools(manifests: Sequence[Manifest]) -> dict[str, Mapping[str, Any]]:
    """The specs of the pools, by name."""
    found = {one["metadata"]["name"]: one["spec"] for one in manifests if one["kind"] == "NodePool"}
    assert len(found) > 2
    return found


def budgets(pool: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = pool["disruption"]["budgets"]
    return found


def test_karpenter_would_take_a_window_and_gpus(environment: Environment, helm: Helm) -> None:
    manifests = render(environment, helm, maintenance_window=WINDOW, spot_nodes=(*environment.cluster.spot_nodes, GPU))

    assert {"spot-gpu", "on-demand-gpu"} < pools(manifests).keys()
    assert {one["metadata"]["name"]: found for one in manifests if (found := problems(one, "1.36"))} == {}


@pytest.mark.cdk_variants("dev")
def test_the_check_refuses_a_budget_that_karpenter_refuses(environment: Environment, helm: Helm) -> None:
    pool = next(one for one in render(environment, helm) if one["kind"] == "NodePool")
    wrong = {"nodes": "0", "schedule": "at night", "duration": "8h", "reasons": REPLACED}
    disruption = {**pool["spec"]["disruption"], "budgets": [wrong]}

    assert problems({**pool, "spec": {**pool["spec"], "disruption": disruption}}, "1.36")


def test_without_a_window_a_tenth_of_a_pool_is_renewed_at_once(environment: Environment, helm: Helm) -> None:
    found = pools(render(environment, helm, maintenance_window=None))

    assert {name: budgets(pool) for name, pool in found.items()} == dict.fromkeys(found, ALWAYS)


def test_outside_of_its_window_an_environment_replaces_no_node_that_has_pods(
    environment: Environment, helm: Helm
) -> None:
    # The strictest of the budgets that are active holds: nothing outside of the window, a tenth in it.
    found = pools(render(environment, helm, maintenance_window=WINDOW))
    closed = [
        {"nodes": "0", "reasons": REPLACED, "schedule": "0 4 * * 2,3,4,5", "duration": "18h"},
        {"nodes": "0", "reasons": REPLACED, "schedule": "0 4 * * 6", "duration": "66h"},
    ]

    assert {name: budgets(pool) for name, pool in found.items()} == {name: [*ALWAYS, *closed] for name in found}


def test_an_empty_node_goes_at_any_time(environment: Environment, helm: Helm) -> None:
    for pool in pools(render(environment, helm, maintenance_window=WINDOW)).values():
        assert [budget["nodes"] for budget in budgets(pool) if "Empty" in budget["reasons"]] == ["100%"]


@pytest.mark.cdk_variants("prod")
def test_prod_has_the_window_of_its_file(releases: Mapping[str, DeployedRelease], environment: Environment) -> None:
    window = environment.cluster.maintenance_window
    assert window is not None

    assert (window.starts, window.lasts) == ("0 4 * * sun", timedelta(hours=8))
    assert releases[RELEASE].value("closed") == [{"schedule": "0 12 * * 0", "duration": "160h"}]


def test_no_task_is_ended_for_its_nodes_age(environment: Environment, helm: Helm) -> None:
    # Expiry empties a node at once and asks no budget (karpenter.sh, "Expiration"). A pod that says
    # karpenter.sh/do-not-disrupt is waited for: a grace period of the node's would end it.
    for window in (None, WINDOW):
        for pool in pools(render(environment, helm, maintenance_window=window)).values():
            assert "terminationGracePeriod" not in pool["template"]["spec"]


def test_the_platforms_own_pods_leave_a_node_in_the_window_only(environment: Environment, helm: Helm) -> None:
    without, within = (
        {
            name: pool["template"]["spec"]["expireAfter"]
            for name, pool in pools(render(environment, helm, maintenance_window=window)).items()
        }
        for window in (None, WINDOW)
    )

    assert set(without.values()) == {"336h"}
    assert within == {name: "Never" if name == "system" else "336h" for name in without}


def test_tasks_are_not_moved_to_save_money(environment: Environment, helm: Helm) -> None:
    for name, pool in pools(render(environment, helm)).items():
        saves = "WhenEmptyOrUnderutilized" if name == "system" else "WhenEmpty"
        assert (pool["disruption"]["consolidationPolicy"], pool["disruption"]["consolidateAfter"]) == (saves, "5m")


def test_flytes_tasks_ask_not_to_be_disturbed(releases: Mapping[str, DeployedRelease]) -> None:
    annotations = releases["flyte"].value("configmap", "k8s", "plugins", "k8s", "default-annotations")

    assert annotations["karpenter.sh/do-not-disrupt"] == "true"


def test_what_ec2_says_of_a_node_reaches_karpenter(
    releases: Mapping[str, DeployedRelease], cdk_variant: str, cdk_assembly: AssemblyFactory
) -> None:
    # Rule, queue, and the name and the right with which Karpenter reads it: each hands on what the one before made.
    stacks = cdk_assembly(cdk_variant).stacks
    (cluster,) = [resources_of(template) for name, template in stacks.items() if name.endswith("Cluster")]
    warning = "EC2 Spot Instance Interruption Warning"
    (rule,) = [
        resource["Properties"]
        for resource in cluster.values()
        if resource["Type"] == "AWS::Events::Rule" and warning in resource["Properties"]["EventPattern"]["detail-type"]
    ]
    ((queue, _),) = [target["Arn"]["Fn::GetAtt"] for target in rule["Targets"]]
    assert cluster[queue]["Type"] == "AWS::SQS::Queue"

    assert queue in releases["karpenter"].value("settings", "interruptionQueue")
    readable = [
        resource
        for template in stacks.values()
        for statement in statements(template)
        if {"sqs:ReceiveMessage", "sqs:DeleteMessage"} <= set(statement.actions)
        for resource in statement.resources
    ]
    assert len([resource for resource in readable if queue in resource]) == 1
