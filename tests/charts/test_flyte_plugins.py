"""What tasks may be in Flyte, and that the operators that this needs are there first."""

import json
from collections.abc import Mapping
from itertools import chain, combinations
from typing import Any, get_args

import pytest
import yaml

from aerodrome_stacks.chart_values.flyte_plugins import OPERATORS_NAMESPACE, plugins, project_templates
from aerodrome_stacks.chart_values.operators import OPERATORS, operators, pod_monitors
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import Plugin
from pytest_cdk import AssemblyFactory
from pytest_cdk.assembly import Assembly
from tests.charts.batch_connector import surroundings_of
from tests.charts.deployed import CHARTS, DeployedRelease, specs
from tests.charts.helm import Helm

ALL: tuple[Plugin, ...] = get_args(Plugin)
SUBSETS = list(chain.from_iterable(combinations(ALL, size) for size in range(len(ALL) + 1)))
# What flytepropeller watches from its start when a plugin is enabled (`ResourceToWatch`, flyteplugins v1.16.8), by the
# chart that brings its CRD: spark/spark.go, ray/ray.go, kfoperators/pytorch/pytorch.go; the CRDs of the pinned charts.
WATCHED = {
    "spark": ("sparkapplications.sparkoperator.k8s.io", "spark-operator"),
    "ray": ("rayjobs.ray.io", "kuberay-operator"),
    "pytorch": ("pytorchjobs.kubeflow.org", "aerodrome-training-operator"),
}


def having(environment: Environment, names: tuple[Plugin, ...]) -> Environment:
    return environment.model_copy(update={"flyte": environment.flyte.model_copy(update={"plugins": names})})


def task_plugins(environment: Environment) -> Mapping[str, Any]:
    """What stands under ``tasks.task-plugins`` of flytepropeller's configuration."""
    values: Any = plugins(environment)
    found: Mapping[str, Any] = values["configmap"]["enabled_plugins"]["tasks"]["task-plugins"]
    return found


def objects(environment: Environment) -> dict[tuple[str, str], Any]:
    """What a project gets for the plugins, by kind and name."""
    templates: Any = project_templates(environment)
    made = [yaml.safe_load(one["value"].replace("{{ namespace }}", "fraud-development")) for one in templates]
    assert all(one["metadata"]["namespace"] == "fraud-development" for one in made)
    return {(one["kind"], one["metadata"]["name"]): one for one in made}


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize("names", SUBSETS, ids=lambda names: "+".join(names) or "none")
class TestEverySubset:
    def test_no_plugin_is_enabled_without_the_operator_whose_crd_it_watches(
        self, environment: Environment, names: tuple[Plugin, ...]
    ) -> None:
        changed = having(environment, names)
        installed = {operator.folder for operator in operators(changed)}
        enabled = set(task_plugins(changed)["enabled-plugins"])
        assert enabled & set(WATCHED) == set(names)
        assert {WATCHED[name][1] for name in names} == installed
        assert installed <= specs().keys()

    def test_what_works_without_an_operator_stays(self, environment: Environment, names: tuple[Plugin, ...]) -> None:
        found = task_plugins(having(environment, names))
        # Helm replaces a list: what is not in ours is off, in the chart's default or not.
        assert {"container", "sidecar", "k8s-array", "connector-service", "echo", "aws_array"} <= set(
            found["enabled-plugins"]
        )
        assert len(found["enabled-plugins"]) == len(set(found["enabled-plugins"]))
        defaults = found["default-for-task-types"]
        assert defaults.items() >= {"container_array": "k8s-array", "aws-batch": "aws_array"}.items()
        # A type without a plugin that is enabled fails each of its tasks.
        assert set(defaults.values()) <= set(found["enabled-plugins"])
        assert {name: defaults.get(name) for name in names} == {name: name for name in names}

    def test_projects_get_rights_only_for_spark_whose_driver_makes_its_executors(
        self, environment: Environment, names: tuple[Plugin, ...]
    ) -> None:
        found = objects(having(environment, names))
        # flyteadmin may bind the role of the chart's; to make one, it would have to have all that is in it.
        assert "Role" not in {kind for kind, _ in found}
        assert (("RoleBinding", "spark-driver") in found) == ("spark" in names)

    def test_prometheus_scrapes_the_operators_that_are_there(
        self, environment: Environment, names: tuple[Plugin, ...]
    ) -> None:
        monitors: Any = pod_monitors(having(environment, names))
        assert [one["name"] for one in monitors] == [WATCHED[name][1] for name in names]
        for one in monitors:
            assert one["namespaceSelector"] == {"matchNames": [OPERATORS_NAMESPACE]}


def before(assembly: Assembly, stack: str) -> set[str]:
    """The stacks that the CDK deploys before another one."""
    manifest = json.loads((assembly.directory / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
    names = {artifact: body.get("displayName", artifact) for artifact, body in manifest.items()}
    (wanted,) = [artifact for artifact, name in names.items() if name == stack]
    return {names[one] for one in manifest[wanted]["dependencies"]}


@pytest.mark.cdk_variants("staging", "prod")
def test_operators_are_installed_in_a_stack_that_flytes_waits_for(
    releases: Mapping[str, DeployedRelease], environment: Environment, cdk_variant: str, cdk_assembly: AssemblyFactory
) -> None:
    assert set(environment.flyte.plugins) == set(ALL)
    for _, folder in WATCHED.values():
        assert (releases[folder].stack, releases[folder].namespace) == ("Addons", OPERATORS_NAMESPACE)
    assert releases["flyte"].stack == "Orchestrator"
    assert "Addons" in before(cdk_assembly(cdk_variant), "Orchestrator")


def test_each_environment_has_the_operators_of_its_plugins(
    releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    every = {operator.folder for operator in OPERATORS.values()}
    assert every & releases.keys() == {WATCHED[name][1] for name in environment.flyte.plugins}
    enabled = releases["flyte"].value("configmap", "enabled_plugins", "tasks", "task-plugins", "enabled-plugins")
    assert set(enabled) & set(WATCHED) == set(environment.flyte.plugins)
    monitors = releases["kube-prometheus-stack"].value("prometheus", "additionalPodMonitors")
    assert [one["name"] for one in monitors] == [WATCHED[name][1] for name in environment.flyte.plugins]


@pytest.mark.cdk_variants("dev")
class TestSpark:
    @pytest.fixture
    def settings(self, environment: Environment) -> dict[str, str]:
        values: Any = plugins(having(environment, ("spark",)))
        assert values["sparkoperator"]["enabled"] is True
        listed = values["sparkoperator"]["plugin_config"]["plugins"]["spark"]["spark-config-default"]
        # A map would lose the capitals of its keys on its way through Flyte's configuration.
        assert all(len(one) == 1 for one in listed)
        return {key: value for one in listed for key, value in one.items()}

    def test_it_signs_on_as_the_project(self, settings: Mapping[str, str]) -> None:
        # Hadoop's default list ends at instance metadata, which pods do not reach.
        provider = settings["spark.hadoop.fs.s3a.aws.credentials.provider"]
        assert provider == "com.amazonaws.auth.WebIdentityTokenCredentialsProvider"
        # Spark 4 has no such class, and looks here.
        name, _, other = settings["spark.hadoop.fs.s3a.aws.credentials.provider.mapping"].partition("=")
        assert name == provider
        assert other == "software.amazon.awssdk.auth.credentials.WebIdentityTokenFileCredentialsProvider"

    def test_a_link_leads_to_what_the_driver_wrote(self, environment: Environment) -> None:
        values: Any = plugins(having(environment, ("spark",)))
        logs = values["sparkoperator"]["plugin_config"]["plugins"]["spark"]["logs"]["mixed"]
        assert (logs["kubernetes-enabled"], logs["cloudwatch-enabled"]) == (False, True)
        # The plugin knows the pod, and no container.
        assert logs["cloudwatch-template-uri"].endswith("{{`{{.podName}}`}}$252Fspark-kubernetes-driver")
        assert "containerName" not in logs["cloudwatch-template-uri"]

    def test_it_reads_the_addresses_that_flyte_writes(self, settings: Mapping[str, str]) -> None:
        assert settings["spark.hadoop.fs.s3.impl"] == "org.apache.hadoop.fs.s3a.S3AFileSystem"

    def test_its_pods_have_limits_without_which_a_quota_refuses_them(self, settings: Mapping[str, str]) -> None:
        for role in ("driver", "executor"):
            assert {f"spark.{role}.cores", f"spark.{role}.memory"} <= settings.keys()

    def test_its_driver_leaves_alone_what_it_has_no_rights_to(
        self, environment: Environment, settings: Mapping[str, str], helm: Helm
    ) -> None:
        roles = {
            one["metadata"]["name"]: one["rules"]
            for one in helm.template(
                CHARTS / "aerodrome-flyte",
                release="aerodrome-flyte",
                namespace="flyte",
                values=surroundings_of(environment),
            )
            if one["kind"] == "ClusterRole"
        }
        rules = roles[objects(having(environment, ("spark",)))["RoleBinding", "spark-driver"]["roleRef"]["name"]]
        allowed = {resource for rule in rules for resource in rule["resources"]}
        assert allowed == {"pods", "configmaps", "services"}
        assert settings["spark.kubernetes.driver.ownPersistentVolumeClaim"] == "false"
        assert settings["spark.kubernetes.driver.reusePersistentVolumeClaim"] == "false"
        assert all("*" not in rule["verbs"] for rule in rules)

    def test_its_driver_is_the_projects_own_service_account(self, environment: Environment) -> None:
        binding = objects(having(environment, ("spark",)))["RoleBinding", "spark-driver"]
        assert binding["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "flyte-spark-driver",
        }
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "default", "namespace": "fraud-development"}]

    def test_drivers_and_no_other_pods_reach_kubernetes(self, environment: Environment) -> None:
        policy = objects(having(environment, ("spark",)))["NetworkPolicy", "spark-drivers"]["spec"]
        assert policy["podSelector"] == {"matchLabels": {"spark-role": "driver"}}
        (rule,) = policy["egress"]
        assert rule["ports"] == [{"port": 443}]
        assert {one["ipBlock"]["cidr"] for one in rule["to"]} == {"172.20.0.1/32", "10.100.0.1/32"}


@pytest.mark.cdk_variants("dev")
class TestRay:
    def test_no_cluster_opens_a_port_of_every_node_or_stays_for_an_hour(self, environment: Environment) -> None:
        values: Any = plugins(having(environment, ("ray",)))
        ray = values["configmap"]["k8s"]["plugins"]["ray"]
        # Flyte's defaults are NodePort and 3600.
        assert (ray["serviceType"], ray["shutdownAfterJobFinishes"]) == ("ClusterIP", True)
        assert ray["ttlSecondsAfterFinished"] <= 300

    def test_its_operator_and_nothing_else_of_the_platform_reaches_a_head(self, environment: Environment) -> None:
        policy = objects(having(environment, ("ray",)))["NetworkPolicy", "ray-heads"]["spec"]
        assert policy["podSelector"] == {"matchLabels": {"ray.io/node-type": "head"}}
        ((peer,),) = [rule["from"] for rule in policy["ingress"]]
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": OPERATORS_NAMESPACE}
        assert peer["podSelector"]["matchLabels"] == dict(OPERATORS["ray"].pods)
        assert policy["ingress"][0]["ports"] == [{"port": 8265}]


@pytest.mark.cdk_variants("dev")
def test_a_job_on_pytorch_waits_longer_than_its_operator_takes_to_start(environment: Environment) -> None:
    values: Any = plugins(having(environment, ("pytorch",)))
    # A minute by default, after which the job is an error of the system.
    assert values["configmap"]["k8s"]["plugins"]["kf-operator"] == {"timeout": "10m"}
