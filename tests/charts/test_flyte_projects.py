"""What projects and their tasks get, and where they run: traps of flyte-core v1.16.8 that bite on EKS."""

from aerodrome_stacks.environment import Environment
from pytest_cdk import AssemblyFactory
from tests.charts.deployed import DeployedRelease, resources_of
from tests.charts.project_objects import project_object


def test_flyte_starts_with_the_environments_projects_and_not_with_the_samples(
    flyte: DeployedRelease, environment: Environment
) -> None:
    assert flyte.value("flyteadmin", "initialProjects") == [project.name for project in environment.projects]


def test_only_domains_that_a_project_uses_exist(flyte: DeployedRelease, environment: Environment) -> None:
    used = {domain for project in environment.projects for domain in project.domains}
    domains = flyte.value("configmap", "domain", "domains")

    assert {domain["id"] for domain in domains} == used


def test_flyte_makes_the_objects_of_projects(flyte: DeployedRelease) -> None:
    assert flyte.value("cluster_resource_manager", "enabled") is True
    assert flyte.value("cluster_resource_manager", "config", "cluster_resources", "refreshInterval") == "5m"
    # The service account with the rights to make them.
    assert flyte.value("cluster_resource_manager", "service_account_name") == "flyteadmin"


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
            account = project_object(flyte, project.name, domain, "ServiceAccount", "default")
            arn = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]

            assert arn.rpartition("/")[2] in roles


def test_every_plugin_of_the_chart_is_restated_beside_that_of_batch_and_the_environments(
    flyte: DeployedRelease, environment: Environment
) -> None:
    plugins = flyte.value("configmap", "enabled_plugins", "tasks", "task-plugins", "enabled-plugins")

    ours = {"aws_array", *environment.flyte.plugins}
    assert set(plugins) == {"container", "sidecar", "k8s-array", "connector-service", "echo", *ours}


def test_only_batch_tasks_run_on_batch(flyte: DeployedRelease, environment: Environment) -> None:
    types = flyte.value("configmap", "enabled_plugins", "tasks", "task-plugins", "default-for-task-types")

    assert types == {
        "container": "container",
        "sidecar": "sidecar",
        "container_array": "k8s-array",
        "aws-batch": "aws_array",
        **{str(plugin): plugin for plugin in environment.flyte.plugins},
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


def test_one_execution_may_run_more_nodes_at_once_than_the_codes_25(flyte: DeployedRelease) -> None:
    assert flyte.value("configmap", "adminServer", "flyteadmin", "maxParallelism") == 100
