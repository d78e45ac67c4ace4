"""The nodes that Karpenter may start: each pool against what the environment decided, and against Karpenter's CRDs."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from aerodrome_constructs.cluster import (
    GPU_LABEL,
    GPU_TAINT,
    INTERRUPTIBLE_LABEL,
    INTERRUPTIBLE_TAINT,
    KUBERNETES_RELEASES,
    ON_DEMAND_LABEL,
    SYSTEM_LABEL,
    TASK_TAINT,
)
from aerodrome_stacks.chart_values.node_pools import NodeClassInputs, node_pools
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.nodes import SpotNodes, SystemNodes
from tests.charts.deployed import CHARTS, DeployedRelease
from tests.charts.helm import Helm, Manifest, problems

RELEASE = "aerodrome-node-pools"
INPUTS = NodeClassInputs(
    image_alias="al2023@v20260923", instance_profile="nodes", subnet_ids=["subnet-1"], security_group_id="sg-1"
)
SYSTEM = SystemNodes(instance_types=("m7i.large", "m6i.large"), min_size=3, max_size=5)
# 8 vCPUs and 32 GiB each.
GENERAL = SpotNodes(
    name="general",
    instance_types=tuple(
        f"{family}.2xlarge" for family in ("m7i", "m7i-flex", "m7a", "m6i", "m6a", "m6id", "m5", "m5a", "m5d", "m5n")
    ),
    min_size=2,
    max_size=10,
)
# 8 vCPUs and one GPU each.
GPU = SpotNodes(name="gpu", instance_types=("g6.2xlarge", "g5.2xlarge"), max_size=5)


def pools(manifests: Sequence[Manifest]) -> dict[str, Mapping[str, Any]]:
    """The specs of the pools, by name."""
    found = {one["metadata"]["name"]: one["spec"] for one in manifests if one["kind"] == "NodePool"}
    assert found
    return found


@pytest.fixture
def rendered(releases: Mapping[str, DeployedRelease], helm: Helm) -> list[Manifest]:
    """What the environment's release makes."""
    release = releases[RELEASE]
    return helm.template(release.folder, release=RELEASE, namespace=release.namespace, values=release.values)


@pytest.fixture
def node_class(rendered: Sequence[Manifest]) -> Mapping[str, Any]:
    """What a node of the environment is."""
    (found,) = [one for one in rendered if one["kind"] == "EC2NodeClass"]
    spec: Mapping[str, Any] = found["spec"]
    return spec


@pytest.fixture
def made(environment: Environment, helm: Helm, groups: Sequence[SpotNodes]) -> dict[str, Mapping[str, Any]]:
    """The pools of an environment with other groups, and 100 on-demand vCPUs."""
    cluster = environment.cluster.model_copy(
        update={"system_nodes": SYSTEM, "spot_nodes": tuple(groups), "on_demand_vcpus": 100}
    )
    values = node_pools(environment.model_copy(update={"cluster": cluster}), INPUTS)
    return pools(helm.template(CHARTS / RELEASE, release=RELEASE, namespace="kube-system", values=values))


with_groups = pytest.mark.parametrize("groups", [pytest.param([GENERAL, GPU], id="with GPUs")])
dev = pytest.mark.cdk_variants("dev")


def choices(pool: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a pool's nodes may be, by label."""
    return {one["key"]: one["values"] for one in pool["template"]["spec"]["requirements"] if one["operator"] == "In"}


def taints(pool: Mapping[str, Any]) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = pool["template"]["spec"].get("taints", [])
    return found


def labels(pool: Mapping[str, Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = pool["template"]["metadata"]["labels"]
    return found


def test_karpenter_would_take_every_manifest(rendered: Sequence[Manifest]) -> None:
    assert {one["metadata"]["name"]: found for one in rendered if (found := problems(one, "1.36"))} == {}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"limit": {"cpu": "1"}}, id="an unknown key"),
        pytest.param({"disruption": {"consolidationPolicy": "Never", "consolidateAfter": "5m"}}, id="a wrong value"),
    ],
)
def test_the_check_refuses_what_karpenter_refuses(rendered: Sequence[Manifest], change: Mapping[str, Any]) -> None:
    pool = next(one for one in rendered if one["kind"] == "NodePool")
    node_class = next(one for one in rendered if one["kind"] == "EC2NodeClass")

    assert problems({**pool, "spec": {**pool["spec"], **change}}, "1.36")
    assert problems({**node_class, "spec": {"role": "any"}}, "1.36")


def test_a_node_asks_for_a_token_and_keeps_pods_from_its_metadata(node_class: Mapping[str, Any]) -> None:
    # A peer left IMDSv1 open (`http_tokens = "optional"`).
    options = node_class["metadataOptions"]

    assert (options["httpTokens"], options["httpPutResponseHopLimit"]) == ("required", 1)


def test_a_nodes_disk_is_encrypted(node_class: Mapping[str, Any]) -> None:
    (disk,) = node_class["blockDeviceMappings"]

    assert disk["deviceName"] == "/dev/xvda"
    assert disk["rootVolume"] is True
    assert (disk["ebs"]["encrypted"], disk["ebs"]["volumeType"]) == (True, "gp3")


def test_a_node_is_private_and_where_managed_nodes_are(node_class: Mapping[str, Any]) -> None:
    assert node_class["associatePublicIPAddress"] is False
    subnets = [term["id"] for term in node_class["subnetSelectorTerms"]]
    assert len(set(subnets)) == 3
    assert all("VpcNodesSubnet" in subnet for subnet in subnets)
    (group,) = node_class["securityGroupSelectorTerms"]
    assert "ClusterSecurityGroupId" in group["id"]


def test_nothing_is_found_by_tags_that_others_could_set(node_class: Mapping[str, Any]) -> None:
    terms = [*node_class["subnetSelectorTerms"], *node_class["securityGroupSelectorTerms"]]

    assert [term for term in terms if set(term) != {"id"}] == []


def test_the_image_is_the_one_of_the_version(node_class: Mapping[str, Any], environment: Environment) -> None:
    row = KUBERNETES_RELEASES[environment.cluster.kubernetes_version]

    assert node_class["amiSelectorTerms"] == [{"alias": row.node_image_alias}]


def test_what_a_node_costs_is_found_where_the_managed_ones_are(
    node_class: Mapping[str, Any], environment: Environment
) -> None:
    assert node_class["tags"] == {"aerodrome:environment": environment.name, "aerodrome:stack": "Cluster"}


def test_karpenter_makes_no_instance_profile(node_class: Mapping[str, Any]) -> None:
    # It has no right to, and with `role` it would try.
    assert "InstanceProfile" in node_class["instanceProfile"]
    assert "role" not in node_class


def test_each_spot_group_is_a_pool_of_its_types(rendered: Sequence[Manifest], environment: Environment) -> None:
    found = pools(rendered)
    for group in environment.cluster.spot_nodes:
        choice = choices(found[f"spot-{group.name}"])
        assert choice["karpenter.sh/capacity-type"] == ["spot"]
        assert choice["node.kubernetes.io/instance-type"] == list(group.instance_types)
        assert len(choice["node.kubernetes.io/instance-type"]) >= 10


def test_managed_nodes_and_karpenters_are_together_what_the_environment_says(
    rendered: Sequence[Manifest], environment: Environment
) -> None:
    found = pools(rendered)
    for group in environment.cluster.spot_nodes:
        most, kept = group.max_vcpus, group.max_vcpus // group.max_size * group.min_size
        assert int(found[f"spot-{group.name}"]["limits"]["cpu"]) + kept == most
    system = environment.cluster.system_nodes
    kept = system.max_vcpus // system.max_size * system.min_size
    assert int(found["system"]["limits"]["cpu"]) + kept == system.max_vcpus


def test_on_demand_nodes_have_the_vcpus_that_the_environment_says(
    rendered: Sequence[Manifest], environment: Environment
) -> None:
    fallback = {name: pool for name, pool in pools(rendered).items() if name.startswith("on-demand")}

    assert sum(int(pool["limits"]["cpu"]) for pool in fallback.values()) == environment.cluster.on_demand_vcpus


def test_every_pool_has_an_end(rendered: Sequence[Manifest]) -> None:
    assert [name for name, pool in pools(rendered).items() if not int(pool["limits"]["cpu"])] == []


def capacities(pool: Mapping[str, Any]) -> list[str]:
    """The values that the label of our own may have on a pool's nodes."""
    key = INTERRUPTIBLE_LABEL.key
    return choices(pool).get(key) or [labels(pool)[key]]


def test_interruptible_work_lands_on_spot_first_and_then_on_demand(rendered: Sequence[Manifest]) -> None:
    interruptible = {
        name: pool["weight"] for name, pool in pools(rendered).items() if INTERRUPTIBLE_LABEL.value in capacities(pool)
    }
    spot = {name for name in interruptible if name.startswith("spot-")}

    assert interruptible.keys() - spot == {"on-demand"}
    assert min(interruptible[name] for name in spot) > interruptible["on-demand"]


def test_only_interruptible_work_lands_on_spot(rendered: Sequence[Manifest]) -> None:
    for pool in pools(rendered).values():
        if choices(pool)["karpenter.sh/capacity-type"] == ["spot"]:
            assert INTERRUPTIBLE_TAINT.manifest in taints(pool)
            assert capacities(pool) == [INTERRUPTIBLE_LABEL.value]


def test_only_tasks_land_on_the_on_demand_nodes_of_tasks_whether_they_bear_an_interruption_or_not(
    rendered: Sequence[Manifest],
) -> None:
    # Flyte's last attempt is not interruptible: it selects nodes by what their label is not.
    pool = pools(rendered)["on-demand"]

    assert capacities(pool) == [INTERRUPTIBLE_LABEL.value, ON_DEMAND_LABEL.value]
    assert taints(pool) == [TASK_TAINT.manifest]


def test_a_task_has_a_place_of_its_size_when_it_must_not_be_interrupted(
    rendered: Sequence[Manifest], environment: Environment
) -> None:
    # A system node is too small for most: in dev it has 2 vCPUs.
    types = {each for group in environment.cluster.spot_nodes for each in group.instance_types}

    assert set(choices(pools(rendered)["on-demand"])["node.kubernetes.io/instance-type"]) == types


def test_the_platforms_own_work_stays_off_spot(rendered: Sequence[Manifest]) -> None:
    for name, pool in pools(rendered).items():
        if SYSTEM_LABEL.selector.items() <= labels(pool).items():
            assert choices(pool)["karpenter.sh/capacity-type"] == ["on-demand"], name
    assert SYSTEM_LABEL.selector.items() <= labels(pools(rendered)["system"]).items()


def test_no_node_is_taken_away_that_a_task_runs_on(rendered: Sequence[Manifest]) -> None:
    # A termination grace period would end pods that say karpenter.sh/do-not-disrupt.
    for pool in pools(rendered).values():
        assert "terminationGracePeriod" not in pool["template"]["spec"]
        if capacities(pool) != [SYSTEM_LABEL.value]:
            assert pool["disruption"]["consolidationPolicy"] == "WhenEmpty"


@dev
@with_groups
def test_limits_are_what_is_left_above_the_nodes_that_always_run(made: Mapping[str, Mapping[str, Any]]) -> None:
    assert made["spot-general"]["limits"] == {"cpu": "64", "memory": "256Gi"}
    assert made["system"]["limits"] == {"cpu": "4", "memory": "16Gi"}
    # g families do not tell their memory.
    assert made["spot-gpu"]["limits"] == {"cpu": "40", "nvidia.com/gpu": "5"}


@dev
@with_groups
def test_the_on_demand_ceiling_is_shared_by_kind(made: Mapping[str, Mapping[str, Any]]) -> None:
    # 80 vCPUs of general nodes and 40 of nodes with GPUs.
    assert (made["on-demand"]["limits"], made["on-demand-gpu"]["limits"]) == ({"cpu": "66"}, {"cpu": "34"})


@dev
@with_groups
@pytest.mark.parametrize("name", ["spot-gpu", "on-demand-gpu"])
def test_nodes_with_gpus_are_for_those_who_need_them(made: Mapping[str, Mapping[str, Any]], name: str) -> None:
    assert GPU_TAINT.manifest in taints(made[name])
    # NVIDIA's device plugin runs where this label is.
    assert GPU_LABEL.selector.items() <= labels(made[name]).items()
    assert choices(made[name])["node.kubernetes.io/instance-type"] == sorted(GPU.instance_types, reverse=name[0] == "s")


@dev
@with_groups
def test_gpu_tasks_have_a_place_whether_they_bear_an_interruption_or_not(
    made: Mapping[str, Mapping[str, Any]],
) -> None:
    # Flyte's last attempt is not interruptible: it selects nodes by what their label is not.
    pool = made["on-demand-gpu"]
    assert choices(pool)[INTERRUPTIBLE_LABEL.key] == [INTERRUPTIBLE_LABEL.value, ON_DEMAND_LABEL.value]
    assert INTERRUPTIBLE_TAINT.manifest not in taints(pool)


@dev
@with_groups
@pytest.mark.parametrize("name", ["spot-general", "on-demand", "system"])
def test_other_nodes_have_no_gpus(made: Mapping[str, Mapping[str, Any]], name: str) -> None:
    assert set(choices(made[name])["node.kubernetes.io/instance-type"]).isdisjoint(GPU.instance_types)
    assert GPU_TAINT.manifest not in taints(made[name])


@dev
@pytest.mark.parametrize("groups", [pytest.param([GPU], id="GPUs only")])
def test_where_all_groups_have_gpus_so_have_the_on_demand_nodes(made: Mapping[str, Mapping[str, Any]]) -> None:
    assert set(made) == {"spot-gpu", "on-demand-gpu", "system"}
    assert made["on-demand-gpu"]["limits"] == {"cpu": "100"}


@dev
@pytest.mark.parametrize(
    "groups", [pytest.param([GENERAL.model_copy(update={"min_size": GENERAL.max_size})], id="all kept running")]
)
def test_a_group_that_always_runs_whole_has_no_pool(made: Mapping[str, Mapping[str, Any]]) -> None:
    assert set(made) == {"on-demand", "system"}


@dev
@pytest.mark.parametrize(
    "groups",
    [pytest.param([GENERAL.model_copy(update={"instance_types": ("m7g.2xlarge", "m6g.2xlarge")})], id="Graviton")],
)
def test_graviton_is_asked_for_by_its_architecture(made: Mapping[str, Mapping[str, Any]]) -> None:
    # Without a word on it, Karpenter takes amd64.
    assert choices(made["spot-general"])["kubernetes.io/arch"] == ["arm64"]
