"""The Ingresses of all releases: one load balancer, the right certificate and firewall, and who may reach it.

The traps are those of the controller's guide and of Flyte's issues. What an Ingress of the group says of the load
balancer holds for all, and two that differ stop the whole group.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

import pytest
from ruamel.yaml import YAML

from aerodrome_stacks.chart_values.front_door import host, hosts, kept_zone, load_balancer_annotations
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.front_door_stack import FrontDoorPorts
from tests.charts.deployed import CHARTS, DeployedRelease

Releases = Mapping[str, DeployedRelease]
Annotations = Mapping[str, str | None]

ALB = "alb.ingress.kubernetes.io"
PORTS = FrontDoorPorts(certificate_arn="arn:certificate", web_acl_arn="arn:web-acl", access_log_bucket="logs")

# What the controller takes for the whole group (docs/guide/ingress/annotations.md at v3.5.0: merge behaviour Exclusive;
# inbound-cidrs is so for each port). The last two it merges, which is no reason for them to differ.
SHARED = (
    "group.name",
    "scheme",
    "inbound-cidrs",
    "load-balancer-attributes",
    "wafv2-acl-arn",
    "ssl-redirect",
    "ssl-policy",
    "certificate-arn",
    "listen-ports",
)


@pytest.fixture
def ingresses(releases: Releases) -> Mapping[str, Annotations]:
    """The annotations of every Ingress, as Kubernetes gets them. The chart of Flyte puts the common ones last."""
    flyte = releases["flyte"].value("common", "ingress")
    return {
        "flyte": set_ones(flyte["annotations"]),
        "flyte-grpc": set_ones({**flyte["separateGrpcIngressAnnotations"], **set_ones(flyte["annotations"])}),
        "mlflow": set_ones(releases["mlflow"].value("ingress", "annotations")),
        "grafana": set_ones(releases["kube-prometheus-stack"].value("grafana", "ingress", "annotations")),
    }


def set_ones(annotations: Annotations) -> Annotations:
    return {name: value for name, value in annotations.items() if value is not None}


def with_access(environment: Environment, **access: Any) -> Environment:  # noqa: ANN401 - the fields' own types
    return environment.model_copy(update={"access": environment.access.model_copy(update=access)})


def attributes(annotations: Annotations, name: str = "load-balancer-attributes") -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in (annotations[f"{ALB}/{name}"] or "").split(","))


def test_every_ingress_says_the_same_of_the_load_balancer(ingresses: Mapping[str, Annotations]) -> None:
    for name in SHARED:
        values = {annotations.get(f"{ALB}/{name}") for annotations in ingresses.values()}
        assert len(values) == 1, f"{name} differs: {values}"


def test_there_is_one_load_balancer(ingresses: Mapping[str, Annotations], environment: Environment) -> None:
    groups = {annotations[f"{ALB}/group.name"] for annotations in ingresses.values()}

    assert groups == {f"aerodrome-{environment.name}"}


def test_the_class_is_named_in_one_way(releases: Releases, ingresses: Mapping[str, Annotations]) -> None:
    # With the old annotation beside the field the API server refuses an Ingress.
    assert releases["flyte"].value("common", "ingress", "ingressClassName") == "alb"
    assert releases["mlflow"].value("ingress", "className") == "alb"
    assert releases["kube-prometheus-stack"].value("grafana", "ingress", "ingressClassName") == "alb"
    assert [name for name, one in ingresses.items() if "kubernetes.io/ingress.class" in one] == []


def test_nothing_is_said_to_another_controller(ingresses: Mapping[str, Annotations]) -> None:
    found = {key.partition("/")[0] for annotations in ingresses.values() for key in annotations}

    assert found == {ALB}


def test_grpc_has_a_target_group_of_its_own_kind_and_nobody_else_has(ingresses: Mapping[str, Annotations]) -> None:
    version = f"{ALB}/backend-protocol-version"

    assert {name for name, annotations in ingresses.items() if annotations.get(version) == "GRPC"} == {"flyte-grpc"}


def test_http_meets_no_grpc_target_group(ingresses: Mapping[str, Annotations]) -> None:
    # "Listener protocol 'HTTP' is not supported with a target group with the protocol-version GRPC", says AWS. The
    # redirect leaves that listener without rules.
    for annotations in ingresses.values():
        assert annotations[f"{ALB}/listen-ports"] == '[{"HTTP":80},{"HTTPS":443}]'
        assert annotations[f"{ALB}/ssl-redirect"] == "443"


def test_pods_are_the_targets(ingresses: Mapping[str, Annotations]) -> None:
    assert {annotations[f"{ALB}/target-type"] for annotations in ingresses.values()} == {"ip"}


def test_health_checks_are_said_by_services_for_the_codes_differ(
    releases: Releases, ingresses: Mapping[str, Annotations]
) -> None:
    # 200 of HTTP is 12 of gRPC. The controller knows, as long as nobody says either for both.
    for annotations in ingresses.values():
        assert [key for key in annotations if "success-codes" in key or "healthcheck" in key] == []
    services = {
        "flyteadmin": releases["flyte"].value("flyteadmin", "service", "annotations"),
        "flyteconsole": releases["flyte"].value("flyteconsole", "service", "annotations"),
        "mlflow": releases["mlflow"].value("service", "annotations"),
        "grafana": releases["kube-prometheus-stack"].value("grafana", "service", "annotations"),
    }
    for service, annotations in services.items():
        assert annotations[f"{ALB}/healthcheck-path"].startswith("/"), service
        assert f"{ALB}/success-codes" not in annotations


def test_flyteadmin_speaks_plain_text_inside_so_that_grpc_keeps_its_port(releases: Releases) -> None:
    # With TLS of its own, gRPC moves to port 80 of the Service, and the Ingress asks for 81.
    assert releases["flyte"].value("configmap", "adminServer", "server", "security").get("secure", False) is False


def test_the_hosts_are_the_certificates(releases: Releases, environment: Environment) -> None:
    assert releases["flyte"].value("common", "ingress", "host") == host(environment, "flyte")
    (mlflow,) = releases["mlflow"].value("ingress", "hosts")
    assert mlflow["host"] == host(environment, "mlflow")
    assert releases["kube-prometheus-stack"].value("grafana", "ingress", "hosts") == [host(environment, "grafana")]
    assert hosts(environment) == [host(environment, name) for name in ("flyte", "mlflow", "grafana")]


def test_the_platforms_certificate_and_firewall_are_named(ingresses: Mapping[str, Annotations]) -> None:
    for annotations in ingresses.values():
        assert "Certificate" in str(annotations[f"{ALB}/certificate-arn"])
        assert "WebAcl" in str(annotations[f"{ALB}/wafv2-acl-arn"])


@pytest.mark.cdk_variants("dev")
def test_without_them_the_controller_looks_for_a_certificate_and_touches_no_firewall(environment: Environment) -> None:
    ports = FrontDoorPorts(certificate_arn=None, web_acl_arn=None, access_log_bucket="logs")
    annotations = load_balancer_annotations(environment, ports)

    assert not annotations.keys() & {f"{ALB}/certificate-arn", f"{ALB}/wafv2-acl-arn"}


def test_every_environment_as_it_stands_is_reached_from_inside_alone(ingresses: Mapping[str, Annotations]) -> None:
    for annotations in ingresses.values():
        assert annotations[f"{ALB}/scheme"] == "internal"
        assert f"{ALB}/inbound-cidrs" not in annotations


@pytest.mark.cdk_variants("dev")
def test_on_the_internet_it_is_reached_from_the_named_ranges_alone(environment: Environment) -> None:
    ranges = (IPv4Network("198.51.100.0/24"), IPv4Network("203.0.113.0/25"))
    annotations = load_balancer_annotations(with_access(environment, public_cidrs=ranges), PORTS)

    assert annotations[f"{ALB}/scheme"] == "internet-facing"
    # Left out, it would be everybody.
    assert annotations[f"{ALB}/inbound-cidrs"] == "198.51.100.0/24,203.0.113.0/25"


def test_tls_is_no_older_than_1_2(ingresses: Mapping[str, Annotations]) -> None:
    assert {one[f"{ALB}/ssl-policy"] for one in ingresses.values()} == {"ELBSecurityPolicy-TLS13-1-2-2021-06"}


def test_long_requests_are_waited_for_and_malformed_ones_lose_what_is_malformed(
    ingresses: Mapping[str, Annotations],
) -> None:
    for annotations in ingresses.values():
        said = attributes(annotations)
        assert int(said["idle_timeout.timeout_seconds"]) > 60
        assert said["routing.http.drop_invalid_header_fields.enabled"] == "true"


def test_requests_are_logged_where_the_load_balancer_may_write(ingresses: Mapping[str, Annotations]) -> None:
    for annotations in ingresses.values():
        said = attributes(annotations)
        assert (said["access_logs.s3.enabled"], said["access_logs.s3.prefix"]) == ("true", "front-door")
        assert "AccessLogs" in said["access_logs.s3.bucket"]


def test_prods_load_balancer_outlives_a_release(ingresses: Mapping[str, Annotations], environment: Environment) -> None:
    kept = {attributes(annotations)["deletion_protection.enabled"] for annotations in ingresses.values()}

    assert kept == {"true" if environment.name == "prod" else "false"}


def test_a_pod_that_ends_is_given_no_longer_than_kubernetes_gives_it(ingresses: Mapping[str, Annotations]) -> None:
    for annotations in ingresses.values():
        said = attributes(annotations, "target-group-attributes")
        assert int(said["deregistration_delay.timeout_seconds"]) <= 30


def test_who_has_an_ingress_may_have_one_and_waits_for_the_load_balancer(releases: Releases) -> None:
    behind = {releases[name].namespace for name in ("flyte", "mlflow", "kube-prometheus-stack")}
    controller = releases["aws-load-balancer-controller"]
    (one,) = controller.value("ingressClassParams", "spec", "namespaceSelector", "matchExpressions")
    file = CHARTS / "aerodrome-foundation" / "values.yaml"
    namespaces = YAML(typ="safe").load(file)["namespaces"]

    # Whoever may write an Ingress of the class is in charge of the load balancer of all.
    assert (one["key"], one["operator"]) == ("kubernetes.io/metadata.name", "In")
    assert set(one["values"]) == behind
    assert controller.value("disableIngressClassAnnotation") is True
    assert {name for name, said in namespaces.items() if said.get("behindLoadBalancer")} == behind
    # Pods start, too, while no controller answers.
    assert controller.value("podMutatorWebhookConfig", "failurePolicy") == "Ignore"


def test_records_are_kept_where_there_is_a_zone(releases: Releases, environment: Environment) -> None:
    assert ("external-dns" in releases) is (kept_zone(environment) is not None)


@pytest.mark.cdk_variants("dev")
def test_a_private_network_has_nobody_who_could_keep_them(environment: Environment) -> None:
    network = environment.network.model_copy(update={"private": True})

    assert kept_zone(environment) == environment.access.hosted_zone_id
    assert kept_zone(environment.model_copy(update={"network": network})) is None


def test_it_keeps_the_records_of_this_domain_in_this_zone_and_those_of_nobody_else(
    releases: Releases, environment: Environment
) -> None:
    dns = releases["external-dns"]

    assert dns.value("domainFilters") == [environment.access.domain_name]
    assert dns.value("extraArgs", "zone-id-filter") == environment.access.hosted_zone_id
    assert dns.value("txtOwnerId") == f"aerodrome-{environment.name}"
    assert (dns.value("sources"), dns.value("extraArgs", "ingress-class")) == (["ingress"], "alb")
    assert (dns.value("policy"), dns.value("registry")) == ("sync", "txt")


def test_its_service_account_has_its_role(releases: Releases) -> None:
    account = releases["external-dns"].value("serviceAccount")

    assert account["name"] == "external-dns"
    assert "ExternalDns" in account["annotations"]["eks.amazonaws.com/role-arn"]


def test_its_monitor_does_not_come_before_prometheuss_crds(releases: Releases) -> None:
    assert "serviceMonitor" not in releases["external-dns"].values
