"""Which pods reach each other, the database and the rest, by the network policies that a deployment makes."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import permutations

import pytest

from aerodrome_stacks.environment import Environment
from pytest_cdk import AssemblyFactory
from tests.charts.deployed import DeployedRelease
from tests.charts.helm import KUBERNETES_VERSIONS, Helm, Manifest, problems
from tests.charts.network_policies import Host, Port, lets_through
from tests.charts.project_objects import project_objects
from tests.templates import properties

# By EKS: the Kubernetes API and DNS have the first and the tenth address of the Services' range.
KUBERNETES_API, CLUSTER_DNS = IPv4Address("172.20.0.1"), IPv4Address("172.20.0.10")
VPC_DNS = IPv4Address("169.254.169.253")
POD_IDENTITY_AGENT = IPv4Address("169.254.170.23")
INSTANCE_METADATA = IPv4Address("169.254.169.254")
S3 = IPv4Address("52.218.0.1")

# In a project that somebody registers by hand, too.
BY_HAND = ("somebodys-project", "development")


@pytest.fixture
def policies(
    releases: Mapping[str, DeployedRelease], flyte: DeployedRelease, helm: Helm, environment: Environment
) -> Sequence[Manifest]:
    """Every network policy of one environment: those of our charts, and those that flyteadmin makes."""
    charts = [
        manifest
        for release in releases.values()
        if release.chart is None
        for manifest in helm.template(
            release.folder, release=release.name, namespace=release.namespace, values=release.values
        )
    ]
    made = [one for name, domain in every_project(environment) for one in project_objects(flyte, name, domain)]
    found = [manifest for manifest in [*charts, *made] if manifest["kind"] == "NetworkPolicy"]
    assert {policy["metadata"]["name"] for policy in found} == {"no-database", "project-boundary"}
    return found


@pytest.fixture
def database(cdk_variant: str, cdk_assembly: AssemblyFactory) -> Sequence[Host]:
    """The first and the last address of each subnet in which the database may be."""
    subnets = properties(cdk_assembly(cdk_variant).template("Network"), "AWS::EC2::Subnet")
    ranges = [IPv4Network(one["CidrBlock"]) for key, one in subnets.items() if "Database" in key]
    assert len(ranges) == 3
    return [Host(address=one[number]) for one in ranges for number in (0, -1)]


def every_project(environment: Environment) -> list[tuple[str, str]]:
    return [*((project.name, domain) for project in environment.projects for domain in project.domains), BY_HAND]


def pod(environment: Environment, namespace: str, number: int = 0, **labels: str) -> Host:
    names = {f"app.kubernetes.io/{key}": value for key, value in labels.items()}
    # Past the first addresses, which are AWS's own.
    return Host(address=environment.network.pod_cidr[1000 + number], namespace=namespace, labels=names)


def task_pods(environment: Environment) -> list[Host]:
    names = [f"{project}-{domain}" for project, domain in every_project(environment)]
    return [pod(environment, name, number) for number, name in enumerate(names)]


def test_no_task_reaches_the_database(
    policies: Sequence[Manifest], database: Sequence[Host], environment: Environment
) -> None:
    for task in task_pods(environment):
        for target in database:
            assert not lets_through(policies, task, target), f"{task} -> {target}"


def test_of_the_platform_only_what_keeps_records_in_it_reaches_the_database(
    policies: Sequence[Manifest],
    database: Sequence[Host],
    releases: Mapping[str, DeployedRelease],
    environment: Environment,
) -> None:
    reaching = {
        namespace
        for namespace in {release.namespace for release in releases.values()}
        if any(lets_through(policies, pod(environment, namespace), target) for target in database)
    }

    # kube-system has no policy: one that were wrong would take DNS from the whole cluster.
    assert reaching == {"flyte", "mlflow", "kube-system"}


def test_no_project_opens_a_connection_to_another_ones_pods(
    policies: Sequence[Manifest], environment: Environment
) -> None:
    pairs = list(permutations(task_pods(environment), 2))
    assert len(pairs) > 2

    for source, target in pairs:
        assert not lets_through(policies, source, target), f"{source.namespace} -> {target.namespace}"


def test_the_workers_of_a_task_talk_to_each_other(policies: Sequence[Manifest], environment: Environment) -> None:
    for task in task_pods(environment):
        assert task.namespace is not None
        assert lets_through(policies, task, pod(environment, task.namespace, 500))


def test_prometheus_and_nothing_else_of_the_platform_reaches_tasks(
    policies: Sequence[Manifest], releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    namespaces = {release.namespace for release in releases.values()}
    prometheus = pod(environment, "monitoring", 600, name="prometheus")
    others = [
        pod(environment, "monitoring", 601, name="grafana"),
        *(pod(environment, namespace, 602, name="prometheus") for namespace in namespaces - {"monitoring"}),
        Host(address=environment.network.cidr[1000]),
    ]
    for task in task_pods(environment):
        assert lets_through(policies, prometheus, task)
        assert [other for other in others if lets_through(policies, other, task)] == []


def test_tasks_reach_what_they_need(policies: Sequence[Manifest], environment: Environment) -> None:
    vpc, pods = environment.network.cidr, environment.network.pod_cidr
    elsewhere = [KUBERNETES_API, CLUSTER_DNS, VPC_DNS, POD_IDENTITY_AGENT, S3, vpc[1000], pods[1]]
    needed = [
        *(Host(address=address) for address in elsewhere),
        # CoreDNS, flyteadmin for `FlyteRemote`, and MLflow.
        *(pod(environment, namespace, 700) for namespace in ("kube-system", "flyte", "mlflow")),
    ]
    for task in task_pods(environment):
        assert [target for target in needed if not lets_through(policies, task, target)] == []


def test_no_task_asks_for_the_role_of_its_node(policies: Sequence[Manifest], environment: Environment) -> None:
    for task in task_pods(environment):
        assert not lets_through(policies, task, Host(address=INSTANCE_METADATA))


@pytest.mark.parametrize("kubernetes_version", KUBERNETES_VERSIONS)
def test_the_api_server_would_take_what_flyteadmin_makes(
    flyte: DeployedRelease, environment: Environment, kubernetes_version: str
) -> None:
    for project, domain in every_project(environment):
        for manifest in project_objects(flyte, project, domain):
            assert problems(manifest, kubernetes_version) == []


def test_flyteadmin_may_make_network_policies(
    releases: Mapping[str, DeployedRelease], flyte: DeployedRelease, helm: Helm
) -> None:
    release = releases["aerodrome-projects"]
    manifests = {
        manifest["kind"]: manifest
        for manifest in helm.template(
            release.folder, release=release.name, namespace=release.namespace, values=release.values
        )
    }
    (rule,) = manifests["ClusterRole"]["rules"]
    binding = manifests["ClusterRoleBinding"]

    assert (rule["apiGroups"], rule["resources"]) == (["networking.k8s.io"], ["networkpolicies"])
    # What flyteadmin/pkg/clusterresource/controller.go calls: Create, and where the object is there, Get and Patch.
    assert set(rule["verbs"]) == {"create", "get", "patch"}
    assert binding["roleRef"]["name"] == manifests["ClusterRole"]["metadata"]["name"]
    account = flyte.value("cluster_resource_manager", "service_account_name")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": flyte.namespace}]


@pytest.mark.cdk_variants("dev")
def test_a_foundation_that_does_not_know_where_the_database_is_is_refused(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    release = releases["aerodrome-foundation"]

    with pytest.raises(AssertionError, match="minItems"):
        helm.lint(release.folder, {**release.values, "databaseRanges": []})


POLICY: Manifest = {
    "metadata": {"namespace": "here"},
    "spec": {"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Egress"]},
}
SOURCE = Host(address=IPv4Address("10.0.0.1"), namespace="here", labels={"a": "b"})
TARGET = Host(address=IPv4Address("10.0.0.2"), namespace="there")


def test_a_pod_that_no_policy_selects_is_open() -> None:
    unlabelled = Host(address=SOURCE.address, namespace="here")

    assert lets_through([], SOURCE, TARGET)
    assert lets_through([POLICY], unlabelled, TARGET)
    assert lets_through([POLICY], TARGET, SOURCE)
    assert not lets_through([POLICY], SOURCE, TARGET)


def test_policies_add_up() -> None:
    opened = {**POLICY, "spec": {**POLICY["spec"], "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.2/32"}}]}]}}

    assert lets_through([POLICY, opened], SOURCE, TARGET)


def test_a_rule_with_ports_opens_those_and_no_other() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.0.0.2/32"}}], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 443}]}
    opened = {**POLICY, "spec": {**POLICY["spec"], "egress": [rule]}}
    ports = [Port(number=53, protocol="UDP"), Port(number=443), Port(number=53), None]

    assert [lets_through([opened], SOURCE, TARGET, port) for port in ports] == [True, True, False, False]


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"to": [{"podSelector": {}}], "ports": [{"port": "dns"}]}, "not worked out here: .*; a port is a number"),
        ({"to": [{"podSelector": {}}], "ports": [{"port": 1, "endPort": 9}]}, "not worked out here: endPort"),
        ({"ports": [{"port": 53}]}, "names no to, which lets everybody through"),
        ({"to": [{"podSelector": {"matchExpressions": []}}]}, "not worked out here: matchExpressions"),
        ({}, "empty, which lets everything through"),
    ],
)
def test_what_is_not_worked_out_is_an_error(rule: Mapping[str, object], complaint: str) -> None:
    policy = {**POLICY, "spec": {**POLICY["spec"], "egress": [rule]}}

    with pytest.raises(AssertionError, match=complaint):
        lets_through([policy], SOURCE, TARGET)
