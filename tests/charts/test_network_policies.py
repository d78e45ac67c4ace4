"""Which pods reach each other, the database and the rest, by the network policies that a deployment makes."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import permutations, product
from types import MappingProxyType

import pytest

from aerodrome_constructs.database.postgres_instance import PORT
from aerodrome_stacks.environment import Environment
from pytest_cdk import AssemblyFactory
from tests.charts.deployed import DeployedRelease
from tests.charts.helm import KUBERNETES_VERSIONS, Helm, Manifest, problems
from tests.charts.network_policies import Host, Port, lets_through
from tests.charts.project_objects import project_objects
from tests.templates import properties

# By EKS: the Kubernetes API and DNS have the first and the tenth address of the Services' range.
KUBERNETES_API, CLUSTER_DNS = IPv4Address("172.20.0.1"), IPv4Address("172.20.0.10")
A_SERVICE = IPv4Address("172.20.13.7")
POD_IDENTITY_AGENT = IPv4Address("169.254.170.23")
INSTANCE_METADATA = IPv4Address("169.254.169.254")
S3 = IPv4Address("52.218.0.1")
# In a network that the VPC may be peered with.
A_NEIGHBOUR = IPv4Address("192.168.7.7")

HTTPS, HTTP = Port(number=443), Port(number=80)
DNS = (Port(number=53, protocol="UDP"), Port(number=53))
# Of flyteadmin: HTTP and gRPC. Of MLflow: its sign-on proxy.
FLYTEADMIN = (Port(number=8088), Port(number=8089))
MLFLOW = Port(number=4180)

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
    assert {"no-database", "project-boundary", "flyteadmin"} <= {policy["metadata"]["name"] for policy in found}
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


def task_pod(
    environment: Environment,
    project: str,
    domain: str,
    number: int = 0,
    labels: Mapping[str, str] = MappingProxyType({}),
) -> Host:
    return Host(
        address=environment.network.pod_cidr[1000 + number],
        namespace=f"{project}-{domain}",
        labels=labels,
        namespace_labels={"aerodrome.io/project": project, "aerodrome.io/domain": domain},
    )


def task_pods(environment: Environment) -> list[Host]:
    return [task_pod(environment, *place, number) for number, place in enumerate(every_project(environment))]


def dns(environment: Environment) -> Iterator[Host]:
    """CoreDNS, and its Service with the selector that it has."""
    labels = {"k8s-app": "kube-dns"}
    yield Host(address=environment.network.pod_cidr[1700], namespace="kube-system", labels=labels)
    yield Host(address=CLUSTER_DNS, namespace="kube-system", labels=labels)


def of_release(environment: Environment, release: DeployedRelease, name: str) -> Iterator[Host]:
    """The pods of a component, and its Service."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": release.name}
    yield Host(address=environment.network.pod_cidr[1701], namespace=release.namespace, labels=labels)
    yield Host(address=A_SERVICE, namespace=release.namespace, labels=labels)


def test_no_task_reaches_the_database(
    policies: Sequence[Manifest], database: Sequence[Host], environment: Environment
) -> None:
    for task in task_pods(environment):
        for target in database:
            for port in (Port(number=PORT), HTTPS, None):
                assert not lets_through(policies, task, target, port), f"{task} -> {target}"


def test_of_the_platform_only_what_keeps_records_in_it_reaches_the_database(
    policies: Sequence[Manifest],
    database: Sequence[Host],
    releases: Mapping[str, DeployedRelease],
    environment: Environment,
) -> None:
    reaching = {
        namespace
        for namespace in {release.namespace for release in releases.values()}
        if any(lets_through(policies, pod(environment, namespace), target, Port(number=PORT)) for target in database)
    }

    # kube-system has no policy: one that were wrong would take DNS from the whole cluster.
    assert reaching == {"flyte", "mlflow", "kube-system"}


def test_no_project_opens_a_connection_to_another_ones_pods(
    policies: Sequence[Manifest], environment: Environment
) -> None:
    pairs = list(permutations(task_pods(environment), 2))
    assert len(pairs) > 2

    for source, target in pairs:
        for port in (HTTPS, HTTP, None):
            assert not lets_through(policies, source, target, port), f"{source.namespace} -> {target.namespace}"


def test_the_workers_of_a_task_talk_to_each_other(policies: Sequence[Manifest], environment: Environment) -> None:
    for place in every_project(environment):
        assert lets_through(policies, task_pod(environment, *place), task_pod(environment, *place, 500))


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
        assert [other for other in others if lets_through(policies, other, task, HTTPS)] == []


def test_tasks_reach_what_they_need(
    policies: Sequence[Manifest], releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    needed = [
        *((host, port) for host in dns(environment) for port in DNS),
        # For `FlyteRemote`; and where models and runs are recorded.
        *((host, port) for host in of_release(environment, releases["flyte"], "flyteadmin") for port in FLYTEADMIN),
        *((host, MLFLOW) for host in of_release(environment, releases["mlflow"], "mlflow")),
        (Host(address=S3), HTTPS),
    ]
    for task in task_pods(environment):
        assert [to for to in needed if not lets_through(policies, task, *to)] == []


def test_tasks_reach_nothing_else(
    policies: Sequence[Manifest],
    releases: Mapping[str, DeployedRelease],
    environment: Environment,
) -> None:
    namespaces = {release.namespace for release in releases.values()} - {"mlflow"}
    closed = [
        # The role of the node; and that of pods whose role comes of EKS Pod Identity, which no project has.
        *((Host(address=address), HTTP) for address in (INSTANCE_METADATA, POD_IDENTITY_AGENT)),
        (Host(address=INSTANCE_METADATA), HTTPS),
        (Host(address=KUBERNETES_API), HTTPS),
        (Host(address=A_NEIGHBOUR), HTTPS),
        (Host(address=S3), HTTP),
        # A kubelet.
        (Host(address=environment.network.cidr[1000]), Port(number=10250)),
        *((pod(environment, namespace, 800), port) for namespace in namespaces for port in (HTTPS, HTTP, None)),
        *((pod(environment, namespace, 801, name="prometheus"), HTTP) for namespace in namespaces),
        *((host, Port(number=8089)) for host in of_release(environment, releases["flyte"], "datacatalog")),
        *((host, Port(number=9153)) for host in dns(environment)),
        # Its profiles; and MLflow past its sign-on.
        *((host, Port(number=10254)) for host in [next(of_release(environment, releases["flyte"], "flyteadmin"))]),
        *((host, Port(number=5000)) for host in [next(of_release(environment, releases["mlflow"], "mlflow"))]),
    ]
    for task in task_pods(environment):
        assert [to for to in closed if lets_through(policies, task, *to)] == []


def test_tasks_reach_addresses_of_the_vpc_only_where_it_has_endpoints_of_aws(
    policies: Sequence[Manifest], environment: Environment, cdk_variant: str, cdk_assembly: AssemblyFactory
) -> None:
    network = cdk_assembly(cdk_variant).template("Network")
    endpoints = properties(network, "AWS::EC2::VPCEndpoint").values()
    theirs = {
        subnet["Ref"]
        for endpoint in endpoints
        if endpoint["VpcEndpointType"] == "Interface"
        for subnet in endpoint["SubnetIds"]
    }
    subnets = {
        name: IPv4Network(subnet["CidrBlock"]) for name, subnet in properties(network, "AWS::EC2::Subnet").items()
    }
    assert len(theirs) in {0, 3}
    for task, (name, subnet) in product(task_pods(environment), subnets.items()):
        for number in (0, -1):
            assert lets_through(policies, task, Host(address=subnet[number]), HTTPS) is (name in theirs), name


def test_sparks_drivers_and_rays_heads_ask_kubernetes_and_no_other_task_does(
    policies: Sequence[Manifest], environment: Environment
) -> None:
    asking = {"spark": {"spark-role": "driver"}, "ray": {"ray.io/node-type": "head"}}
    api = Host(address=KUBERNETES_API)
    for place in every_project(environment):
        assert not lets_through(policies, task_pod(environment, *place), api, HTTPS)
        for plugin, labels in asking.items():
            driver = task_pod(environment, *place, labels=labels)
            assert lets_through(policies, driver, api, HTTPS) is (plugin in environment.flyte.plugins)


@pytest.mark.parametrize("kubernetes_version", KUBERNETES_VERSIONS)
def test_the_api_server_would_take_what_flyteadmin_makes(
    flyte: DeployedRelease, environment: Environment, kubernetes_version: str
) -> None:
    for project, domain in every_project(environment):
        for manifest in project_objects(flyte, project, domain):
            assert problems(manifest, kubernetes_version) == []


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
        ({"to": [{"podSelector": {"matchExpressions": [{"operator": "In"}]}}]}, "not worked out here: In"),
        ({}, "empty, which lets everything through"),
    ],
)
def test_what_is_not_worked_out_is_an_error(rule: Mapping[str, object], complaint: str) -> None:
    policy = {**POLICY, "spec": {**POLICY["spec"], "egress": [rule]}}

    with pytest.raises(AssertionError, match=complaint):
        lets_through([policy], SOURCE, TARGET)
