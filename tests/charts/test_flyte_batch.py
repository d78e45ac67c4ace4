"""Flyte's tasks on AWS Batch: that they find a queue which takes them, and what the plugin makes of its values."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from aerodrome.check_workflows.facts import MOST_RETRIES
from aerodrome_stacks.batch_queues import PRIORITIES, Kind, domains, flyte_kinds, flyte_queue_name
from aerodrome_stacks.chart_values import flyte_batch
from aerodrome_stacks.environment import Environment
from pytest_cdk import AssemblyFactory
from tests.charts.deployed import DeployedRelease
from tests.templates import TemplateJson, properties, resources

# Batch's quota on attempts: https://docs.aws.amazon.com/batch/latest/APIReference/API_RetryStrategy.html
MOST_ATTEMPTS = 10


@pytest.fixture(scope="session")
def read_by_flyte() -> Any:  # noqa: ANN401 - any YAML
    """The keys that Flyte reads, with their defaults."""
    return YAML(typ="safe").load(Path(__file__).with_name("flyte_batch_keys.yaml"))


@pytest.fixture
def batch(cdk_assembly: AssemblyFactory, cdk_variant: str) -> TemplateJson:
    """The template of the Batch stack."""
    return cdk_assembly(cdk_variant).stacks["Batch"]


@pytest.fixture
def by_tag(flyte: DeployedRelease) -> dict[str, list[str]]:
    """The queues of each tag, as flyteadmin's refreshExecutionQueues collects them."""
    found: dict[str, list[str]] = {}
    for queue in flyte.value("configmap", "adminServer", "queues", "executionQueues"):
        for tag in queue["attributes"]:
            found.setdefault(tag, []).append(queue["dynamic"])
    return found


def queue_for(flyte: DeployedRelease, by_tag: Mapping[str, list[str]], domain: str) -> str:
    """The queue of an execution that nobody has set an attribute for, as flyteadmin's GetQueue finds it."""
    tags: list[str] = []
    default: list[str] = []
    for rule in flyte.value("configmap", "adminServer", "queues", "workflowConfigs"):
        if rule.get("domain", "") == domain:
            tags = rule["tags"]
        elif not rule.get("domain"):
            default = rule["tags"]
    for tag in tags or default:
        if tag in by_tag:
            # Among several, chance decides.
            (queue,) = by_tag[tag]
            return queue
    return ""


def keys(value: object, at: str = "") -> Iterator[tuple[str, type]]:
    """The path of every leaf, of lists that of their entries, and its type."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from keys(inner, f"{at}.{key}")
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for one in value:
            yield from keys(one, f"{at}[]")
    else:
        yield at, type(value)


def test_every_key_of_the_plugin_is_one_that_its_code_reads(flyte: DeployedRelease, read_by_flyte: Any) -> None:  # noqa: ANN401 - any YAML
    given = dict(keys(flyte.value("configmap", "k8s", "plugins", "aws")))
    known = dict(keys(read_by_flyte))
    assert {".region", ".accountId", ".batch.roleAnnotationKey", ".batch.maxRetries"} <= given.keys()
    assert {path: kind for path, kind in given.items() if known.get(path) is not kind} == {}


def test_every_key_of_the_queues_is_one_that_flyteadmin_reads(flyte: DeployedRelease, read_by_flyte: Any) -> None:  # noqa: ANN401 - any YAML
    given = set(keys(flyte.value("configmap", "adminServer", "queues")))
    assert given
    assert given - set(keys(read_by_flyte["queues"])) == set()


@pytest.mark.parametrize("domain", [*PRIORITIES, "one-that-nobody-has"])
def test_an_execution_in_any_domain_finds_a_queue(
    flyte: DeployedRelease, by_tag: Mapping[str, list[str]], environment: Environment, domain: str
) -> None:
    used = domains(environment)
    expected = next((one for one in used if one == domain), used[-1])
    assert queue_for(flyte, by_tag, domain) == flyte_queue_name(environment, expected, Kind.SPOT)


def test_the_rule_for_everything_is_there_and_last(flyte: DeployedRelease) -> None:
    assert flyte.value("configmap", "adminServer", "queues", "workflowConfigs")[-1] == {"tags": ["default"]}


def test_a_tag_names_one_queue_and_every_tag_of_a_rule_has_one(
    flyte: DeployedRelease, by_tag: Mapping[str, list[str]]
) -> None:
    # Among several queues of a tag, flyteadmin chooses by chance.
    assert {tag: found for tag, found in by_tag.items() if len(found) != 1} == {}
    rules = flyte.value("configmap", "adminServer", "queues", "workflowConfigs")
    assert {tag for rule in rules for tag in rule["tags"]} <= by_tag.keys()


def test_every_domain_and_kind_has_a_tag_and_a_kind_alone_is_that_of_the_lowest_domain(
    by_tag: Mapping[str, list[str]], environment: Environment
) -> None:
    kinds, lowest = flyte_kinds(environment), domains(environment)[-1]
    assert {Kind.SPOT, Kind.ON_DEMAND} <= set(kinds)
    assert PRIORITIES[lowest] == min(PRIORITIES[domain] for domain in domains(environment))
    assert by_tag == {
        **{
            f"{domain}-{kind}": [flyte_queue_name(environment, domain, kind)]
            for domain in domains(environment)
            for kind in kinds
        },
        **{str(kind): [flyte_queue_name(environment, lowest, kind)] for kind in kinds},
        "default": [flyte_queue_name(environment, lowest, Kind.SPOT)],
    }


def test_each_queue_is_made_first_in_first_out_on_instances(
    by_tag: Mapping[str, list[str]], batch: TemplateJson
) -> None:
    made = {queue["JobQueueName"]: queue for queue in properties(batch, "AWS::Batch::JobQueue").values()}
    types = {
        logical_id: environment["Properties"]["ComputeResources"]["Type"]
        for logical_id, environment in resources(batch, "AWS::Batch::ComputeEnvironment").items()
    }
    assert {"EC2", "SPOT", "FARGATE"} <= set(types.values())
    for name in {queue for queues in by_tag.values() for queue in queues}:
        # The plugin cannot name a share, which a queue with a scheduling policy asks for.
        assert "SchedulingPolicyArn" not in made[name], name
        behind = [types[one["ComputeEnvironment"]["Ref"]] for one in made[name]["ComputeEnvironmentOrder"]]
        # Its job definitions have no execution role and no network, without which Fargate takes none.
        assert behind, name
        assert set(behind) <= {"EC2", "SPOT"}, name


def test_a_queue_that_is_not_made_fails_the_synth(environment: Environment) -> None:
    with pytest.raises(ValueError, match="which is not made; those that are: aerodrome-another-queue") as raised:
        flyte_batch.queues(environment, ["aerodrome-another-queue"])
    assert flyte_queue_name(environment, domains(environment)[0], Kind.SPOT) in str(raised.value)


def test_jobs_are_looked_for_where_they_are(flyte: DeployedRelease, environment: Environment) -> None:
    aws = flyte.value("configmap", "k8s", "plugins", "aws")
    # The code's default is us-east-2.
    assert (aws["region"], aws["accountId"]) == (environment.region, environment.account)


@pytest.mark.parametrize(("retries", "attempts"), [(0, 2), (1, 2), (3, 4), (9, 10), (30, MOST_ATTEMPTS)])
def test_batch_takes_the_attempts_that_the_plugin_asks_for(flyte: DeployedRelease, retries: int, attempts: int) -> None:
    batch = flyte.value("configmap", "k8s", "plugins", "aws", "batch")
    # toRetryStrategy in flyteplugins/go/tasks/plugins/array/awsbatch/transformer.go
    assert max(min(retries, batch["maxRetries"]), batch["minRetries"]) + 1 == attempts


def test_workflows_are_checked_against_the_retries_that_are_configured(flyte: DeployedRelease) -> None:
    assert flyte.value("configmap", "k8s", "plugins", "aws", "batch", "maxRetries") == MOST_RETRIES


def test_a_job_without_a_timeout_of_its_own_ends_within_a_day(flyte: DeployedRelease) -> None:
    timeout = flyte.value("configmap", "k8s", "plugins", "aws", "batch", "defaultTimeout")
    assert re.fullmatch(r"([1-9]|1\d|2[0-4])h", timeout), "a duration as Go reads it"


def test_a_part_of_the_cache_holds_the_definitions_of_a_busy_platform(flyte: DeployedRelease) -> None:
    size = flyte.value("configmap", "k8s", "plugins", "aws", "batch", "defCacheSize")
    # freecache v1.1.1 divides it into 256 parts. An entry: a header of 24 bytes, an image with a digest (at most 255
    # for the name, 71 for the digest), two ARNs, and the platform.
    entry = 24 + 255 + 71 + 2 * 150 + 3
    assert size // 256 // entry >= 50
    # An entry larger than a quarter of a part is refused.
    assert entry < size // 256 // 4
