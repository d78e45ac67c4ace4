"""Where the output of a pod goes: read from what Fluent Bit, and what CloudWatch Logs is given."""

import re
from collections.abc import Callable, Mapping

import pytest

from aerodrome_stacks.chart_values.fluent_bit import fluent_bit
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.rules import MOST_PLACES
from pytest_cdk import AssemblyFactory
from tests.charts.deployed import DeployedRelease
from tests.charts.helm import Helm
from tests.templates import properties

ID = "0123456789abcdef" * 4
# flb_cf_fluentbit.c of Fluent Bit 4.2: "length of content has exceeded limit".
LONGEST_LINE = 4096

Sorted = tuple[str | None, str | None]


@pytest.fixture
def values(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    return releases["aws-for-fluent-bit"]


@pytest.fixture
def groups(cdk_assembly: AssemblyFactory, cdk_variant: str) -> set[str]:
    """The names of the log groups that are made for namespaces."""
    made = properties(cdk_assembly(cdk_variant).stacks["KubernetesLogs"], "AWS::Logs::LogGroup")
    return {group["LogGroupName"] for group in made.values()}


def script_of(filters: str) -> Callable[[str], Sorted]:
    """What the scripts make of a file's name: the namespace with a group, and the stream.

    Not Lua itself, of which there is none here: its pattern, turned into Python's, and its lists.
    """
    scripts = re.findall(r"^    code    (.+)$", filters, re.MULTILINE)
    assert scripts
    found = [re.fullmatch(r'.*tag:match\("([^"]+)"\).*\(" ([^"]+) "\):find.*', script) for script in scripts]
    patterns = {match.group(1) for match in found if match}
    namespaces = {name for match in found if match for name in match.group(2).split()}
    (pattern,) = patterns
    # A letter after % is a class, anything else is itself.
    python = re.sub(r"%(.)", lambda match: {"x": "[0-9a-fA-F]"}.get(match.group(1), re.escape(match.group(1))), pattern)

    def sort(file: str) -> Sorted:
        match = re.search(python, f"kube.var.log.containers.{file}")
        if match is None:
            return None, None
        pod, namespace, container = match.groups()
        return namespace if namespace in namespaces else None, f"{pod}/{container}"

    return sort


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (f"flyteadmin-7d9-x2x_flyte_flyteadmin-{ID}.log", ("flyte", "flyteadmin-7d9-x2x/flyteadmin")),
        (f"kube-proxy-abc_kube-system_kube-proxy-{ID}.log", ("kube-system", "kube-proxy-abc/kube-proxy")),
        # A pod's name may have dots, and end like an ID.
        (f"a.b-c0ffee_mlflow_c-{ID}.log", ("mlflow", "a.b-c0ffee/c")),
        # A part of a name is no name.
        (f"pod_fly_c-{ID}.log", (None, "pod/c")),
        (f"pod_handmade_c-{ID}.log", (None, "pod/c")),
        ("something-else.log", (None, None)),
    ],
)
@pytest.mark.cdk_variants("dev")
def test_a_file_is_sorted_by_its_name(values: DeployedRelease, file: str, expected: Sorted) -> None:
    assert script_of(values.value("additionalFilters"))(file) == expected


def test_each_projects_output_goes_to_the_group_of_its_namespace(
    values: DeployedRelease, environment: Environment, groups: set[str]
) -> None:
    sort, template = script_of(values.value("additionalFilters")), values.value("cloudWatchLogs", "logGroupTemplate")
    assert environment.project_domains

    for project, domain in environment.project_domains:
        namespace, _ = sort(f"f8d-n0-0_{project}-{domain}_f8d-n0-0-{ID}.log")
        assert namespace == f"{project}-{domain}"
        assert template.replace("$log_namespace", namespace) in groups


def test_no_namespace_is_without_a_group(
    releases: Mapping[str, DeployedRelease], helm: Helm, groups: set[str], environment: Environment
) -> None:
    made = [
        manifest
        for name in ("aerodrome-foundation", "aerodrome-projects")
        for manifest in helm.template(
            releases[name].folder,
            release=name,
            namespace=releases[name].namespace,
            values=releases[name].values,
        )
    ]
    namespaces = {manifest["metadata"]["name"] for manifest in made if manifest["kind"] == "Namespace"}
    # Projects have every domain in Flyte. Where the environment gives them none, no pod is let in.
    closed = {
        manifest["metadata"]["namespace"]
        for manifest in made
        if manifest["kind"] == "ResourceQuota" and manifest["spec"]["hard"].get("pods") == "0"
    }
    namespaces |= {release.namespace for release in releases.values()}
    assert len(namespaces - closed) > 5

    prefix = f"/aerodrome/{environment.name}/kubernetes/"
    assert {f"{prefix}{namespace}" for namespace in namespaces - closed} == groups - {f"{prefix}other"}


def test_what_has_no_group_of_its_own_goes_to_the_common_one(values: DeployedRelease, groups: set[str]) -> None:
    # Fluent Bit takes these where it cannot fill in the templates.
    assert values.value("cloudWatchLogs", "logGroupName") in groups
    assert values.value("cloudWatchLogs", "logGroupName").endswith("/other")
    assert values.value("cloudWatchLogs", "logStreamPrefix")


def test_who_writes_makes_no_group(values: DeployedRelease) -> None:
    # One that is made so keeps for ever, without a key.
    assert values.value("cloudWatchLogs", "autoCreateGroup") is False
    assert "logRetentionDays" not in values.value("cloudWatchLogs")


def test_a_line_is_sent_as_it_was_written(values: DeployedRelease) -> None:
    assert values.value("cloudWatchLogs", "logKey") == "log"
    # No node asks the Kubernetes API about pods.
    assert values.value("filter", "enabled") is False


@pytest.mark.cdk_variants("prod")
def test_many_projects_fit_into_lines_that_fluent_bit_takes(environment: Environment) -> None:
    (one, *_), domains = environment.projects, ("development", "staging", "production")
    quotas = dict.fromkeys(domains, next(iter(one.domains.values())))
    many = [
        one.model_copy(update={"name": f"{number:02}".rjust(28, "x"), "domains": quotas})
        for number in range(MOST_PLACES // 3)
    ]
    large = environment.model_copy(update={"projects": tuple(many)})
    filters = fluent_bit(large, role_arn="role")["additionalFilters"]
    assert isinstance(filters, str)

    assert max(map(len, filters.splitlines())) < LONGEST_LINE
    sort = script_of(filters)
    assert len(large.project_domains) > 100
    for project, domain in large.project_domains:
        assert sort(f"p_{project}-{domain}_c-{ID}.log") == (f"{project}-{domain}", "p/c")


def test_it_runs_on_every_node(values: DeployedRelease) -> None:
    assert values.value("tolerations") == [{"operator": "Exists"}]
    assert "nodeSelector" not in values.values


def test_the_node_is_read_and_nothing_of_it_written_but_what_is_its_own(values: DeployedRelease) -> None:
    hosts = {volume["name"]: volume["hostPath"]["path"] for volume in values.value("volumes")}
    writable = [hosts[mount["name"]] for mount in values.value("volumeMounts") if not mount.get("readOnly")]

    assert writable == ["/var/lib/fluent-bit"]
    assert values.value("input", "db").startswith("/var/lib/fluent-bit/")
    assert "storage.path  /var/lib/fluent-bit/" in values.value("service", "extraService")
    assert values.value("containerSecurityContext") == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
