"""What the job of ``charts/aerodrome-projects`` is given: what flyteadmin is to know of each project and domain."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aerodrome_stacks.chart_values.reconciler_handler import program
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.task_limits import registered_limits
from tests.charts.deployed import DeployedRelease
from tests.charts.helm import Helm, Manifest
from tests.charts.project_objects import domain_values, project_object

Place = tuple[str, str]


@pytest.fixture
def manifests(releases: Mapping[str, DeployedRelease], helm: Helm) -> Mapping[str, Manifest]:
    """What Helm makes of the chart, the last of each kind."""
    release = releases["aerodrome-projects"]
    rendered = helm.template(release.folder, release=release.name, namespace=release.namespace, values=release.values)
    return {manifest["kind"]: manifest for manifest in rendered}


@pytest.fixture
def wanted(releases: Mapping[str, DeployedRelease]) -> Mapping[Place, Mapping[str, Any]]:
    """The attributes by project and domain."""
    projects = releases["aerodrome-projects"].value("reconciler", "projects")
    found = {(one["id"], domain): of for one in projects for domain, of in one["domains"].items()}
    assert found
    return found


def test_every_project_has_its_attributes_in_each_of_its_domains(
    wanted: Mapping[Place, Mapping[str, Any]], environment: Environment
) -> None:
    assert list(wanted) == environment.project_domains


def test_each_project_writes_below_a_prefix_of_its_own_at_which_its_role_ends(
    wanted: Mapping[Place, Mapping[str, Any]], flyte: DeployedRelease
) -> None:
    raw_data = flyte.value("configmap", "core", "propeller", "rawoutput-prefix")
    for (project, domain), of in wanted.items():
        config = of["workflow_execution_config"]
        assert config["raw_output_data_config"] == {"output_location_prefix": f"{raw_data}{project}/{domain}"}


def test_its_jobs_take_the_role_that_its_pods_have_and_sparks_pods_its_service_account(
    wanted: Mapping[Place, Mapping[str, Any]], flyte: DeployedRelease
) -> None:
    for (project, domain), of in wanted.items():
        account = project_object(flyte, project, domain, "ServiceAccount", "default")
        assert of["workflow_execution_config"]["security_context"]["run_as"] == {
            "iam_role": account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"],
            # Spark's plugin would take one called `spark` where nobody names any.
            "k8s_service_account": account["metadata"]["name"],
        }


def test_a_projects_own_quota_takes_the_place_of_its_domains(
    wanted: Mapping[Place, Mapping[str, Any]], flyte: DeployedRelease, environment: Environment
) -> None:
    for one in environment.projects:
        for domain, quota in one.domains.items():
            values = wanted[one.name, domain]["cluster_resource_attributes"]["attributes"]
            # A name that no template has would be set, and do nothing.
            assert values.keys() == domain_values(flyte, domain).keys()
            assert values["projectQuotaCpu"] == str(quota.cpu)
            assert values["projectQuotaMemory"] == f"{quota.memory_gib}Gi"


def test_a_task_may_ask_for_what_its_own_project_may_have(
    wanted: Mapping[Place, Mapping[str, Any]], flyte: DeployedRelease, environment: Environment
) -> None:
    resources = flyte.value("configmap", "task_resource_defaults", "task_resources")
    for one in environment.projects:
        for domain, quota in one.domains.items():
            limits = registered_limits(environment, quota)
            # flyteadmin takes limits and defaults from one place or the other, and never joins them.
            assert wanted[one.name, domain]["task_resource_attributes"] == {
                "defaults": resources["defaults"],
                "limits": {"cpu": str(limits.cpu), "memory": f"{limits.memory_gib}Gi", "gpu": str(limits.gpu)},
            }


def test_until_it_is_told_flyteadmin_takes_the_largest_of_all(flyte: DeployedRelease, environment: Environment) -> None:
    # The chart's limits, 2 CPUs and 1 GiB, refuse larger tasks when they are registered.
    limits = registered_limits(environment)

    assert flyte.value("configmap", "task_resource_defaults", "task_resources", "limits") == {
        "cpu": str(limits.cpu),
        "memory": f"{limits.memory_gib}Gi",
        "gpu": str(limits.gpu),
    }


def test_a_projects_jobs_wait_in_the_queue_that_it_names(
    wanted: Mapping[Place, Mapping[str, Any]], flyte: DeployedRelease, environment: Environment
) -> None:
    queues = {
        tag: queue["dynamic"]
        for queue in flyte.value("configmap", "adminServer", "queues", "executionQueues")
        for tag in queue["attributes"]
    }
    for one in environment.projects:
        for domain, quota in one.domains.items():
            (tag,) = wanted[one.name, domain]["execution_queue_attributes"]["tags"]
            assert queues[tag] == f"aerodrome-{environment.name}-flyte-{domain}-{quota.queue}"


def test_how_many_tasks_run_at_once_is_the_projects_or_else_the_platforms(
    wanted: Mapping[Place, Mapping[str, Any]], environment: Environment
) -> None:
    for one in environment.projects:
        for domain, quota in one.domains.items():
            found = wanted[one.name, domain]["workflow_execution_config"]["max_parallelism"]
            assert found == (quota.max_parallelism or 0), "flyteadmin takes its own for 0"


def test_a_domain_that_a_project_does_not_have_lets_no_pod_in(
    releases: Mapping[str, DeployedRelease], flyte: DeployedRelease, environment: Environment
) -> None:
    closed = releases["aerodrome-projects"].value("reconciler", "closed", "cluster_resource_attributes", "attributes")
    domain = next(iter(environment.used_domains))

    assert set(closed.values()) == {"0"}
    quota = {name for name in domain_values(flyte, domain) if name.startswith("projectQuota")}
    assert closed.keys() == quota


def test_the_job_runs_the_program_and_reads_what_it_is_given(
    manifests: Mapping[str, Manifest], releases: Mapping[str, DeployedRelease]
) -> None:
    release, flyte = releases["aerodrome-projects"], releases["flyte"]
    data, pod = manifests["ConfigMap"]["data"], manifests["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}

    assert data["program.py"] == Path(program.__file__).read_text(encoding="utf-8")
    assert container["command"][-2:] == [f"{mounts['program']}/{name}" for name in ("program.py", "settings.json")]
    settings = json.loads(data["settings.json"])
    assert settings["projects"] == release.value("reconciler", "projects")
    assert settings["closed"] == release.value("reconciler", "closed")
    assert settings["admin"] == f"http://flyteadmin.{flyte.namespace}.svc.cluster.local"


def test_the_job_signs_on_as_the_client_of_flytes_own_components(
    manifests: Mapping[str, Manifest], releases: Mapping[str, DeployedRelease]
) -> None:
    pod = manifests["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (secret,) = [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
    sign_on = json.loads(manifests["ConfigMap"]["data"]["settings.json"])["sign_on"]

    key = sign_on["client_secret_file"].removeprefix("/etc/sign-on/")
    assert key in releases["flyte-secrets"].value("secrets", secret)
    assert sign_on["client_id"] == releases["flyte"].value("secrets", "adminOauthClientCredentials", "clientId")
    assert sign_on["scopes"] == releases["flyte"].value("configmap", "admin", "admin", "scopes")
    assert sign_on["token_url"].startswith("https://")
