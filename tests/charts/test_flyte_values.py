"""Flyte's values as Helm gets them: each default of flyte-core v1.16.8 that does harm on EKS has its test here."""

from collections.abc import Mapping
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.charts.deployed import DeployedRelease, resources_of

from aerodrome_constructs.cluster.scheduling import SPOT_LABEL, SPOT_TAINT
from aerodrome_stacks.environment import Environment
from pytest_cdk import AssemblyFactory

COMPONENTS = ("flyteadmin", "flytescheduler", "datacatalog", "flyteconsole", "flytepropeller", "webhook")
# The load balancer's annotations that hold for every Ingress of the platform.
ALB = "alb.ingress.kubernetes.io"


@pytest.fixture
def flyte(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    return releases["flyte"]


# --- Database -------------------------------------------------------------------------------------


@pytest.mark.parametrize("component", ["admin", "datacatalog"])
def test_the_deprecated_fields_of_the_database_are_removed(flyte: DeployedRelease, component: str) -> None:
    database = flyte.value("db", component, "database")

    assert {key: database[key] for key in ("host", "port", "username", "dbname")} == {
        "host": None,
        "port": None,
        "username": None,
        "dbname": None,
    }
    assert database["postgres"]["host"].startswith("${")
    assert database["postgres"]["port"] == 5432


@pytest.mark.parametrize("component", ["admin", "datacatalog"])
def test_the_database_is_reached_over_tls(flyte: DeployedRelease, component: str) -> None:
    # Flyte's default is sslmode=disable.
    assert flyte.value("db", component, "database", "postgres", "options") == "sslmode=require"


def test_passwords_come_from_the_files_that_the_secret_has(
    flyte: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    mounted = flyte.value("common", "databaseSecret", "name")
    files = {f"/etc/db/{key}" for key in releases["flyte-secrets"].value("secrets", mounted)}
    read = {
        flyte.value("db", component, "database", "postgres", "passwordPath") for component in ("admin", "datacatalog")
    }

    assert read == files == {"/etc/db/pass.txt", "/etc/db/datacatalog.txt"}


def test_flyteadmin_and_datacatalog_have_a_database_and_a_user_each(flyte: DeployedRelease) -> None:
    admin, datacatalog = (
        flyte.value("db", component, "database", "postgres") for component in ("admin", "datacatalog")
    )

    assert admin["dbname"] != datacatalog["dbname"]
    assert admin["username"] != datacatalog["username"]


def test_the_pools_together_fit_into_the_database(flyte: DeployedRelease) -> None:
    # RDS gives PostgreSQL DBInstanceClassMemory / 9531392 connections: about 400 for the smallest class that an
    # environment may have (4 GiB, of which RDS keeps some); some stay free for people and for MLflow's 30.
    pods = flyte.value("flyteadmin", "replicaCount") + flyte.value("datacatalog", "replicaCount")
    scheduler_sync_and_one_that_is_being_replaced = 3
    connections = flyte.value("db", "admin", "database", "maxOpenConnections")

    assert connections == flyte.value("db", "datacatalog", "database", "maxOpenConnections")
    assert (pods + scheduler_sync_and_one_that_is_being_replaced) * connections <= 300


# --- Storage --------------------------------------------------------------------------------------


def test_storage_is_s3_with_roles_and_not_the_sandbox(flyte: DeployedRelease, environment: Environment) -> None:
    storage = flyte.value("storage")

    assert (storage["type"], storage["s3"]["authType"]) == ("s3", "iam")
    assert storage["s3"]["region"] == environment.region


def test_raw_data_have_a_bucket_of_their_own_that_flyte_may_read(flyte: DeployedRelease) -> None:
    raw_data = flyte.value("configmap", "core", "propeller", "rawoutput-prefix")

    assert raw_data.startswith("s3://${")
    assert raw_data.endswith("}/")
    assert flyte.value("storage", "bucketName") not in raw_data
    # Flyte refuses to read outside of storage.bucketName without this.
    assert flyte.value("storage", "enableMultiContainer") is True


def test_signed_urls_are_s3_urls_of_the_region(flyte: DeployedRelease, environment: Environment) -> None:
    assert flyte.value("configmap", "remoteData", "remoteData") == {"scheme": "aws", "region": environment.region}


def test_the_blob_cache_fits_into_the_memory_of_every_component_that_has_one(flyte: DeployedRelease) -> None:
    # All three get the same storage settings.
    limits = [
        mebibytes(flyte.value(component, "resources", "limits", "memory"))
        for component in ("flyteadmin", "datacatalog", "flytepropeller")
    ]

    assert 0 < flyte.value("storage", "cache", "maxSizeMBs") <= min(limits) / 2


# --- Roles ----------------------------------------------------------------------------------------


def test_each_component_that_uses_aws_has_a_role_of_its_own(flyte: DeployedRelease) -> None:
    roles = [
        flyte.value(component, "serviceAccount", "annotations", "eks.amazonaws.com/role-arn")
        for component in ("flyteadmin", "datacatalog", "flytepropeller")
    ]

    assert all(role.startswith("${") for role in roles)
    assert len(set(roles)) == 3


def test_roles_of_launch_plans_go_where_eks_looks_for_them(flyte: DeployedRelease) -> None:
    # The chart's default, iam.amazonaws.com/role, is kube2iam's.
    key = flyte.value("configmap", "adminServer", "flyteadmin", "roleNameKey")

    assert key == "eks.amazonaws.com/role-arn"
    assert flyte.value("configmap", "k8s", "plugins", "aws", "batch", "roleAnnotationKey") == key


# --- Ingress --------------------------------------------------------------------------------------


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


# --- Sign-on --------------------------------------------------------------------------------------


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


# --- Tasks and projects ---------------------------------------------------------------------------


def test_a_task_may_ask_for_what_a_project_may_have(flyte: DeployedRelease, environment: Environment) -> None:
    # The chart's limits, 2 CPUs and 1 GiB, refuse larger tasks when they are registered.
    quotas = [quota for project in environment.projects for quota in project.domains.values()]

    assert flyte.value("configmap", "task_resource_defaults", "task_resources", "limits") == {
        "cpu": str(max(quota.cpu for quota in quotas)),
        "memory": f"{max(quota.memory_gib for quota in quotas)}Gi",
        "gpu": str(max(quota.gpu for quota in quotas)),
    }


def test_flyte_starts_with_the_environments_projects_and_not_with_the_samples(
    flyte: DeployedRelease, environment: Environment
) -> None:
    assert flyte.value("flyteadmin", "initialProjects") == [project.name for project in environment.projects]


def test_only_domains_that_a_project_uses_exist(flyte: DeployedRelease, environment: Environment) -> None:
    used = {domain for project in environment.projects for domain in project.domains}
    domains = flyte.value("configmap", "domain", "domains")

    assert {domain["id"] for domain in domains} == used


def test_a_domains_ceiling_is_the_largest_quota_of_its_projects(
    flyte: DeployedRelease, environment: Environment
) -> None:
    # The chart's quotas are 2 to 5 CPUs.
    found = {
        domain: {name: value["value"] for variable in variables for name, value in variable.items()}
        for entry in flyte.value("cluster_resource_manager", "config", "cluster_resources", "customData")
        for domain, variables in entry.items()
    }
    quotas: dict[str, list[Any]] = {}
    for project in environment.projects:
        for domain, quota in project.domains.items():
            quotas.setdefault(domain, []).append(quota)

    assert found == {
        domain: {
            "projectQuotaCpu": str(max(quota.cpu for quota in of_domain)),
            "projectQuotaMemory": f"{max(quota.memory_gib for quota in of_domain)}Gi",
            "projectQuotaGpu": str(max(quota.gpu for quota in of_domain)),
        }
        for domain, of_domain in quotas.items()
    }


def test_each_project_gets_a_namespace_a_service_account_with_its_role_and_a_ceiling(
    flyte: DeployedRelease, environment: Environment
) -> None:
    namespace, account, ceiling = project_objects(flyte, project="fraud-detection", domain="production")

    assert (namespace["kind"], namespace["metadata"]["name"]) == ("Namespace", "fraud-detection-production")
    assert (account["kind"], account["metadata"]["name"]) == ("ServiceAccount", "default")
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == (
        f"arn:aws:iam::{environment.account}:role/aerodrome-{environment.name}-fraud-detection-production"
    )
    assert ceiling["spec"]["hard"] == {"limits.cpu": "32", "limits.memory": "128Gi", "requests.nvidia.com/gpu": "0"}
    assert account["metadata"]["namespace"] == ceiling["metadata"]["namespace"] == namespace["metadata"]["name"]


def test_flyte_makes_the_objects_of_projects(flyte: DeployedRelease) -> None:
    assert flyte.value("cluster_resource_manager", "enabled") is True
    assert flyte.value("cluster_resource_manager", "config", "cluster_resources", "refreshInterval") == "5m"
    # The service account with the rights to make them.
    assert flyte.value("cluster_resource_manager", "service_account_name") == "flyteadmin"


def test_templates_are_applied_namespace_first(flyte: DeployedRelease) -> None:
    # flyteadmin goes through the files in the order of their names.
    keys = [template["key"] for template in flyte.value("cluster_resource_manager", "templates")]

    assert keys == sorted(keys)
    assert "namespace" in keys[0]


def test_the_project_role_is_one_that_exists(
    flyte: DeployedRelease, cdk_variant: str, cdk_assembly: AssemblyFactory, environment: Environment
) -> None:
    roles = {
        resource["Properties"].get("RoleName")
        for resource in resources_of(cdk_assembly(cdk_variant).template("Identity")).values()
        if resource["Type"] == "AWS::IAM::Role"
    }
    for project in environment.projects:
        for domain in project.domains:
            _, account, _ = project_objects(flyte, project=project.name, domain=domain)
            arn = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]

            assert arn.rpartition("/")[2] in roles


# --- Execution plane ------------------------------------------------------------------------------


def test_the_crd_is_not_the_charts_to_delete(flyte: DeployedRelease) -> None:
    assert flyte.value("flytepropeller", "createCRDs") is False


def test_the_lease_is_in_the_releases_namespace(flyte: DeployedRelease) -> None:
    lock = flyte.value("configmap", "core", "propeller", "leader-election", "lock-config-map")

    assert lock["namespace"] == flyte.namespace
    assert flyte.value("flytepropeller", "replicaCount") == 2


def test_propeller_has_more_than_the_charts_token_resources(flyte: DeployedRelease) -> None:
    # 4 workers on 200m CPU and 200Mi.
    limits = flyte.value("flytepropeller", "resources", "limits")

    assert flyte.value("configmap", "core", "propeller", "workers") >= 40
    assert float(limits["cpu"]) >= 1
    assert mebibytes(limits["memory"]) >= 2048


def test_the_api_server_is_asked_fast_enough_for_the_workers(flyte: DeployedRelease) -> None:
    client = flyte.value("configmap", "core", "propeller", "kube-client-config")

    assert client["qps"] >= 100
    assert client["burst"] > client["qps"]


def test_large_workflows_and_inputs_stay_out_of_etcd(flyte: DeployedRelease) -> None:
    admin = flyte.value("configmap", "adminServer", "flyteadmin")

    assert admin["useOffloadedWorkflowClosure"] is True
    assert admin["useOffloadedInputs"] is True


def test_interruptible_tasks_go_to_spot_nodes_and_others_stay_away(flyte: DeployedRelease) -> None:
    pods = flyte.value("configmap", "k8s", "plugins", "k8s")
    spot = {"key": SPOT_LABEL.key, "values": [SPOT_LABEL.value]}

    assert pods["interruptible-tolerations"] == [SPOT_TAINT.toleration]
    assert pods["interruptible-node-selector-requirement"] == {**spot, "operator": "In"}
    assert pods["non-interruptible-node-selector-requirement"] == {**spot, "operator": "NotIn"}


def test_an_interruption_is_retried_and_the_last_attempt_is_on_demand(flyte: DeployedRelease) -> None:
    nodes = flyte.value("configmap", "core", "propeller", "node-config")

    assert nodes["max-node-retries-system-failures"] > 1
    # Counted from the end: all attempts but the last may be interrupted.
    assert nodes["interruptible-failure-threshold"] == -1


def test_no_autoscaler_evicts_a_task(flyte: DeployedRelease) -> None:
    annotations = flyte.value("configmap", "k8s", "plugins", "k8s", "default-annotations")

    # Naming Karpenter's replaces Flyte's default, so the cluster autoscaler's is restated.
    assert annotations == {
        "karpenter.sh/do-not-disrupt": "true",
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    }


def test_schedules_run(flyte: DeployedRelease) -> None:
    assert flyte.value("workflow_scheduler") == {"enabled": True, "type": "native"}


# --- AWS Batch ------------------------------------------------------------------------------------


def test_every_plugin_of_the_chart_is_restated_beside_that_of_batch(flyte: DeployedRelease) -> None:
    plugins = flyte.value("configmap", "enabled_plugins", "tasks", "task-plugins", "enabled-plugins")

    assert set(plugins) == {"container", "sidecar", "k8s-array", "connector-service", "echo", "aws_array"}


def test_only_batch_tasks_run_on_batch(flyte: DeployedRelease) -> None:
    types = flyte.value("configmap", "enabled_plugins", "tasks", "task-plugins", "default-for-task-types")

    assert types == {
        "container": "container",
        "sidecar": "sidecar",
        "container_array": "k8s-array",
        "aws-batch": "aws_array",
    }


def test_the_batch_plugin_works_in_the_region_of_its_queue(flyte: DeployedRelease, environment: Environment) -> None:
    # Its default is us-east-2. The chart passes no key `configmap.aws` on to flytepropeller.
    aws = flyte.value("configmap", "k8s", "plugins", "aws")

    assert (aws["region"], aws["accountId"]) == (environment.region, environment.account)
    assert "aws" not in flyte.value("configmap")


def test_batch_is_asked_for_no_more_attempts_than_it_takes(flyte: DeployedRelease) -> None:
    # The plugin makes one attempt more than it has retries, and AWS Batch takes 10.
    assert flyte.value("configmap", "k8s", "plugins", "aws", "batch", "maxRetries") + 1 <= 10


def test_every_execution_has_a_queue(flyte: DeployedRelease, cdk_variant: str, cdk_assembly: AssemblyFactory) -> None:
    queues = flyte.value("configmap", "adminServer", "queues")
    made = {
        resource["Properties"]["JobQueueName"]
        for resource in resources_of(cdk_assembly(cdk_variant).template("Batch")).values()
        if resource["Type"] == "AWS::Batch::JobQueue"
    }
    (queue,) = queues["executionQueues"]

    assert queue["dynamic"] in made
    # Without a rule for every domain, Batch tasks of the others fail.
    assert {"tags": queue["attributes"]} in queues["workflowConfigs"]


# --- Pods -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("component", [name for name in COMPONENTS if name != "flytepropeller"])
def test_pod_security_would_let_the_pods_in(flyte: DeployedRelease, component: str) -> None:
    # The chart's default asks for the SELinux type spc_t, which the level "baseline" refuses.
    assert flyte.value(component, "securityContext", "seLinuxOptions") is None


@pytest.mark.parametrize("component", COMPONENTS)
def test_components_run_on_the_platforms_nodes_before_tasks(flyte: DeployedRelease, component: str) -> None:
    assert flyte.value(component, "priorityClassName") == "aerodrome-platform"
    assert flyte.value(component, "nodeSelector") == {"aerodrome.io/capacity": "system"}


@pytest.mark.parametrize("component", [name for name in COMPONENTS if name != "flyteconsole"])
def test_components_have_resources_set(flyte: DeployedRelease, component: str) -> None:
    resources = flyte.value(component, "resources")

    assert {"cpu", "memory"} <= resources["requests"].keys()
    assert "memory" in resources["limits"]


@pytest.mark.parametrize("component", ["flyteadmin", "datacatalog", "flytepropeller", "flytescheduler"])
def test_metrics_are_scraped(flyte: DeployedRelease, component: str) -> None:
    assert flyte.value(component, "serviceMonitor", "enabled") is True


@pytest.mark.parametrize("component", ["flytepropeller", "flytescheduler"])
def test_a_service_monitor_has_a_service(flyte: DeployedRelease, component: str) -> None:
    # These two have none by default.
    assert flyte.value(component, "service", "enabled") is True


def test_no_log_link_leads_nowhere(flyte: DeployedRelease) -> None:
    # Nothing collects pods' logs yet.
    logs = flyte.value("configmap", "task_logs", "plugins", "logs")

    assert logs == {"cloudwatch-enabled": False, "kubernetes-enabled": False}


def test_what_the_chart_puts_through_its_template_engine_has_no_template_in_it(flyte: DeployedRelease) -> None:
    # configmap.* and the cluster resources' config go through `tpl`; the cluster resource templates do not.
    rendered = [flyte.value("configmap"), flyte.value("cluster_resource_manager", "config"), flyte.value("db")]

    assert "{{" not in str(rendered)


def mebibytes(quantity: str) -> float:
    units = {"Mi": 1.0, "Gi": 1024.0}
    return float(quantity[:-2]) * units[quantity[-2:]]


def project_objects(flyte: DeployedRelease, *, project: str, domain: str) -> list[dict[str, Any]]:
    """What flyteadmin applies for one project and domain: its substitution, with one space on either side of a name."""
    values = {
        "namespace": f"{project}-{domain}",
        "project": project,
        "domain": domain,
        "projectQuotaCpu": "32",
        "projectQuotaMemory": "128Gi",
        "projectQuotaGpu": "0",
    }
    objects = []
    for template in flyte.value("cluster_resource_manager", "templates"):
        text = template["value"]
        for name, value in values.items():
            text = text.replace(f"{{{{ {name} }}}}", value)
        assert "{{" not in text
        objects.append(dict(YAML(typ="safe").load(text)))
    return objects
