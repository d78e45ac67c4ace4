"""Values of the releases that the others stand on."""

from collections.abc import Mapping

import pytest

from aerodrome_stacks.chart_values import addons
from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease

Releases = Mapping[str, DeployedRelease]


def test_the_load_balancer_controller_does_not_stand_in_the_way_of_services(releases: Releases) -> None:
    # Its webhook refuses every new Service of the cluster until its pods answer (failurePolicy Fail).
    assert releases["aws-load-balancer-controller"].value("enableServiceMutatorWebhook") is False


def test_the_load_balancer_controller_is_told_what_it_cannot_ask_for(
    releases: Releases, environment: Environment
) -> None:
    # Nodes answer metadata requests of their own processes only (hop limit 1).
    controller = releases["aws-load-balancer-controller"]

    assert controller.value("region") == environment.region
    assert controller.value("vpcId").startswith("${")
    assert controller.value("clusterName") == f"aerodrome-{environment.name}"


def test_the_load_balancer_controller_asks_for_nothing_that_its_role_has_no_right_to(releases: Releases) -> None:
    controller = releases["aws-load-balancer-controller"]

    assert (controller.value("enableShield"), controller.value("enableWaf")) == (False, False)


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize("private", [True, False])
def test_the_load_balancer_controller_leaves_the_firewall_alone_where_it_cannot_reach_it(
    environment: Environment, *, private: bool
) -> None:
    network = environment.network.model_copy(update={"private": private})
    values = addons.load_balancer_controller(
        environment.model_copy(update={"network": network}), cluster_name="c", vpc_id="v", role_arn="r"
    )

    assert (values.get("enableWafv2") is False) is private


def test_load_balancers_are_internal_unless_said_otherwise(releases: Releases) -> None:
    assert releases["aws-load-balancer-controller"].value("defaultLoadBalancerScheme") == "internal"


def test_an_upgrade_does_not_change_the_certificate_of_a_webhook_in_use(releases: Releases) -> None:
    assert releases["aws-load-balancer-controller"].value("keepTLSSecret") is True


def test_karpenter_knows_its_cluster(releases: Releases, environment: Environment) -> None:
    # The chart insists on it.
    assert releases["karpenter"].value("settings", "clusterName") == f"aerodrome-{environment.name}"


def test_karpenter_is_told_of_interruptions(releases: Releases) -> None:
    assert "Interruptions" in releases["karpenter"].value("settings", "interruptionQueue")


def test_karpenter_knows_that_a_nodes_first_interface_has_no_room_for_pods(releases: Releases) -> None:
    # Text, as the chart and the controller's flag have it.
    assert releases["karpenter"].value("settings", "reservedENIs") == "1"


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize("private", [True, False])
def test_in_a_private_network_karpenter_leaves_apis_alone_that_it_cannot_reach(
    environment: Environment, *, private: bool
) -> None:
    network = environment.network.model_copy(update={"private": private})
    values = addons.karpenter(
        environment.model_copy(update={"network": network}), cluster_name="c", role_arn="r", queue_name="q"
    )
    settings = values["settings"]

    assert isinstance(settings, Mapping)
    assert (settings["isolatedVPC"], settings["enableZonalShift"]) == (private, not private)


def test_karpenter_stays_off_its_own_nodes(releases: Releases) -> None:
    assert releases["karpenter"].value("nodeSelector", "aerodrome.io/capacity") == "system"


def test_no_namespace_can_use_a_store_of_another(releases: Releases) -> None:
    operator = releases["external-secrets"]

    assert operator.value("processClusterStore") is False
    assert operator.value("processClusterExternalSecret") is False


def test_an_uninstall_of_the_operator_leaves_the_secrets_alone(releases: Releases) -> None:
    # The chart's CRDs are templates: deleting them deletes every ExternalSecret, and the secrets that those own.
    assert releases["external-secrets"].value("crds", "annotations", "helm.sh/resource-policy") == "keep"


def test_the_operator_does_its_work_once(releases: Releases) -> None:
    assert releases["external-secrets"].value("leaderElect") is True


@pytest.mark.parametrize("release", ["aws-load-balancer-controller", "external-secrets", "karpenter"])
def test_each_has_its_role_and_the_service_account_that_the_role_trusts(releases: Releases, release: str) -> None:
    account = releases[release].value("serviceAccount")

    assert account["name"] == release
    assert account["annotations"]["eks.amazonaws.com/role-arn"].startswith("${")


@pytest.mark.parametrize(
    ("release", "keys"),
    [
        ("aws-load-balancer-controller", ("replicaCount",)),
        ("external-secrets", ("replicaCount",)),
        ("external-secrets", ("webhook", "replicaCount")),
        ("metrics-server", ("replicas",)),
    ],
)
def test_what_the_whole_cluster_waits_for_runs_twice(releases: Releases, release: str, keys: tuple[str, ...]) -> None:
    assert releases[release].value(*keys) >= 2
