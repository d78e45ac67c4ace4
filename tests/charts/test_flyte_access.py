"""How people and programs reach Flyte, and who may: traps of flyte-core v1.16.8 that bite on EKS."""

from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease

# The prefix of the load balancer controller's annotations.
ALB = "alb.ingress.kubernetes.io"


def test_ingresses_are_the_load_balancer_controllers_and_internal(
    flyte: DeployedRelease, environment: Environment
) -> None:
    ingress = flyte.value("common", "ingress")

    assert ingress["ingressClassName"] == "alb"
    assert ingress["host"] == f"flyte.{environment.access.domain_name}"
    assert ingress["annotations"][f"{ALB}/scheme"] == "internal"
    assert ingress["annotations"][f"{ALB}/target-type"] == "ip"
    assert "kubernetes.io/ingress.class" not in ingress["annotations"]


def test_both_ingresses_share_one_load_balancer(flyte: DeployedRelease, environment: Environment) -> None:
    group = flyte.value("common", "ingress", "annotations", f"{ALB}/group.name")

    assert group == f"aerodrome-{environment.name}"


def test_the_annotations_for_nginx_are_removed(flyte: DeployedRelease) -> None:
    ingress = flyte.value("common", "ingress")

    assert ingress["annotations"]["nginx.ingress.kubernetes.io/app-root"] is None
    assert ingress["annotations"]["nginx.ingress.kubernetes.io/service-upstream"] is None
    assert ingress["separateGrpcIngressAnnotations"]["nginx.ingress.kubernetes.io/backend-protocol"] is None


def test_grpc_has_an_ingress_of_its_own_that_speaks_grpc(flyte: DeployedRelease) -> None:
    ingress = flyte.value("common", "ingress")

    assert ingress["separateGrpcIngress"] is True
    assert ingress["separateGrpcIngressAnnotations"][f"{ALB}/backend-protocol-version"] == "GRPC"


def test_no_common_annotation_overrides_one_of_the_grpc_ingress(flyte: DeployedRelease) -> None:
    # The chart merges the two maps, and the common one wins.
    ingress = flyte.value("common", "ingress")

    assert not ingress["annotations"].keys() & ingress["separateGrpcIngressAnnotations"].keys()


def test_http_is_redirected_and_never_meets_a_grpc_target_group(flyte: DeployedRelease) -> None:
    ingress = flyte.value("common", "ingress")

    assert ingress["annotations"][f"{ALB}/ssl-redirect"] == "443"
    assert ingress["annotations"][f"{ALB}/listen-ports"] == '[{"HTTP":80},{"HTTPS":443}]'
    # The chart's own redirect is a route to a service that the controller no longer needs.
    assert ingress["albSSLRedirect"] is False


@pytest.mark.parametrize(("service", "path"), [("flyteadmin", "/healthcheck"), ("flyteconsole", "/console")])
def test_health_checks_ask_for_a_path_that_is_served(flyte: DeployedRelease, service: str, path: str) -> None:
    assert flyte.value(service, "service", "annotations", f"{ALB}/healthcheck-path") == path


def test_datacatalog_opens_no_port_on_the_nodes(flyte: DeployedRelease) -> None:
    assert flyte.value("datacatalog", "service", "type") == "ClusterIP"


def test_the_published_client_secret_is_removed(flyte: DeployedRelease) -> None:
    assert flyte.value("secrets", "adminOauthClientCredentials", "clientSecret") is None


def test_other_origins_are_refused(flyte: DeployedRelease, environment: Environment) -> None:
    security = flyte.value("configmap", "adminServer", "server", "security")

    assert security["allowedOrigins"] == [f"https://flyte.{environment.access.domain_name}"]


def test_sign_on_is_asked_for_wherever_there_is_an_identity_provider(
    flyte: DeployedRelease, environment: Environment
) -> None:
    use_auth = flyte.value("configmap", "adminServer", "server", "security", "useAuth")

    assert use_auth is (environment.access.oidc is not None)
    assert flyte.value("secrets", "adminOauthClientCredentials", "enabled") is use_auth


@pytest.mark.cdk_variants("dev")
def test_without_an_identity_provider_nothing_of_googles_sample_client_is_left(flyte: DeployedRelease) -> None:
    open_id = flyte.value("configmap", "adminServer", "auth", "userAuth", "openId")

    assert open_id == {"baseUrl": None, "clientId": None, "scopes": None}


@pytest.mark.cdk_variants("dev")
def test_without_sign_on_no_pod_waits_for_a_secret_that_nobody_makes(
    flyte: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    assert flyte.value("secrets", "adminOauthClientCredentials", "enabled") is False
    assert "additionalVolumes" not in flyte.value("flyteadmin")
    assert releases["flyte-secrets"].value("secrets").keys() == {"flyte-database"}


@pytest.mark.cdk_variants("staging", "prod")
def test_people_and_programs_sign_on_at_the_environments_provider(
    flyte: DeployedRelease, environment: Environment
) -> None:
    oidc = environment.access.oidc
    assert oidc is not None
    auth = flyte.value("configmap", "adminServer", "auth")

    assert (auth["userAuth"]["openId"]["baseUrl"], auth["userAuth"]["openId"]["clientId"]) == (
        oidc.issuer,
        oidc.client_id,
    )
    # flyteadmin's own server would know its clients by the published hash of "foobar".
    assert auth["appAuth"]["authServerType"] == "External"
    assert auth["appAuth"]["externalAuthServer"]["baseUrl"] == oidc.issuer
    assert flyte.value("secrets", "adminOauthClientCredentials", "clientId") == oidc.client_id


@pytest.mark.cdk_variants("staging", "prod")
def test_the_client_secret_is_read_from_a_secret_that_is_made(
    flyte: DeployedRelease, releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    assert environment.access.oidc is not None
    # The templates of the chart fix this name and this key.
    source = releases["flyte-secrets"].value("secrets", "flyte-secret-auth", "client_secret")
    (volume,) = flyte.value("flyteadmin", "additionalVolumes")
    (mount,) = flyte.value("flyteadmin", "additionalVolumeMounts")
    read = flyte.value("configmap", "adminServer", "auth", "userAuth", "openId", "clientSecretFile")

    assert source == {"secret": environment.access.oidc.client_secret_name}
    assert volume["secret"]["secretName"] == "flyte-secret-auth"
    assert volume["name"] == mount["name"]
    assert read == f"{mount['mountPath']}/client_secret"


def test_the_uris_that_tokens_are_for_name_the_releases_namespace(
    flyte: DeployedRelease, environment: Environment
) -> None:
    assert flyte.value("configmap", "adminServer", "auth", "authorizedUris") == [
        f"https://flyte.{environment.access.domain_name}",
        "http://flyteadmin:80",
        f"http://flyteadmin.{flyte.namespace}.svc.cluster.local:80",
    ]


def test_links_in_messages_lead_to_the_console(flyte: DeployedRelease, environment: Environment) -> None:
    url = flyte.value("configmap", "adminServer", "flyteadmin", "consoleUrl")

    assert url == f"https://flyte.{environment.access.domain_name}/console"
