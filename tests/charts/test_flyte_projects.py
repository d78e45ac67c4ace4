"""What projects and their tasks get, and where they run: traps of flyte-core v1.16.8 that bite on EKS."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aerodrome_stacks.chart_values.flyte import AUTH_SECRET
from aerodrome_stacks.chart_values.raw_output_handler import program
from aerodrome_stacks.environment import Environment
from pytest_cdk import AssemblyFactory
from tests.charts.deployed import DeployedRelease, resources_of
from tests.charts.helm import Helm
from tests.charts.project_objects import project_objects


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
    namespace, account, ceiling, _ = project_objects(flyte, project="fraud-detection", domain="production")

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
            _, account, *_ = project_objects(flyte, project=project.name, domain=domain)
            arn = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]

            assert arn.rpartition("/")[2] in roles


def test_each_project_writes_below_a_prefix_of_its_own_at_which_its_role_ends(
    releases: Mapping[str, DeployedRelease], flyte: DeployedRelease, environment: Environment
) -> None:
    raw_data = flyte.value("configmap", "core", "propeller", "rawoutput-prefix")
    entries = releases["aerodrome-projects"].value("rawOutput", "prefixes")

    assert [(entry["project"], entry["domain"], entry["prefix"]) for entry in entries] == [
        (project.name, domain, f"{raw_data}{project.name}/{domain}")
        for project in environment.projects
        for domain in project.domains
    ]


def test_its_jobs_take_the_role_that_its_pods_have(
    releases: Mapping[str, DeployedRelease], flyte: DeployedRelease
) -> None:
    entries = releases["aerodrome-projects"].value("rawOutput", "prefixes")
    assert entries
    for entry in entries:
        _, account, *_ = project_objects(flyte, project=entry["project"], domain=entry["domain"])
        assert entry["role"] == account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]


def test_the_job_that_sets_the_prefixes_runs_the_program_and_reads_what_it_is_given(
    releases: Mapping[str, DeployedRelease], helm: Helm, environment: Environment
) -> None:
    release = releases["aerodrome-projects"]
    manifests = {
        manifest["kind"]: manifest
        for manifest in helm.template(
            release.folder, release=release.name, namespace=release.namespace, values=release.values
        )
    }
    data, job = manifests["ConfigMap"]["data"], manifests["CronJob"]
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}

    assert data["program.py"] == Path(program.__file__).read_text(encoding="utf-8")
    assert container["command"][-2:] == [f"{mounts['program']}/{name}" for name in ("program.py", "settings.json")]
    settings = json.loads(data["settings.json"])
    assert settings["prefixes"] == release.value("rawOutput", "prefixes")
    assert settings["admin"] == f"http://flyteadmin.{releases['flyte'].namespace}.svc.cluster.local"
    oidc = environment.access.oidc
    assert settings.get("client_id") == (oidc and oidc.client_id)
    assert ("oidc" in mounts) is (oidc is not None)
    if oidc is not None:
        key = settings["client_secret_file"].removeprefix(f"{mounts['oidc']}/")
        assert key in releases["flyte-secrets"].value("secrets", AUTH_SECRET)


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


def test_propeller_learns_why_a_pod_went(flyte: DeployedRelease) -> None:
    # A pod whose node is taken back would be gone before propeller looks.
    assert flyte.value("configmap", "k8s", "plugins", "k8s", "inject-finalizer") is True


def test_tasks_are_patient_with_the_credentials_service(flyte: DeployedRelease) -> None:
    variables = flyte.value("configmap", "k8s", "plugins", "k8s", "default-env-vars")

    assert {"AWS_METADATA_SERVICE_TIMEOUT": "5"} in variables
    assert {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "20"} in variables


def test_a_task_that_asks_for_nothing_gets_the_same_from_flyteadmin_and_from_propeller(flyte: DeployedRelease) -> None:
    defaults = flyte.value("configmap", "task_resource_defaults", "task_resources", "defaults")
    pods = flyte.value("configmap", "k8s", "plugins", "k8s")

    assert {"cpu": pods["default-cpus"], "memory": pods["default-memory"]} == defaults


def test_one_execution_may_run_more_nodes_at_once_than_the_codes_25(flyte: DeployedRelease) -> None:
    assert flyte.value("configmap", "adminServer", "flyteadmin", "maxParallelism") == 100
