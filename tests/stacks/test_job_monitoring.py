import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from aerodrome_constructs.job_monitoring import Settings
from aerodrome_constructs.job_monitoring.metrics_handler import names
from aerodrome_stacks.batch_queues import Kind, queue_kinds
from aerodrome_stacks.batch_stack import HOST_METRICS
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.job_alarms import FAILED_PERCENT, FEWEST_ENDED
from tests.templates import Properties, TemplateJson, only, properties, text, with_id

# What AWS documents, as far as it is drawn: SQS, EventBridge and Lambda in their developer guides.
OF_AWS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    ("AWS/Events", "FailedInvocations"),
    ("AWS/Events", "MatchedEvents"),
    ("AWS/Lambda", "Errors"),
}
OF_JOBS = {(names.NAMESPACE, name) for name in names.UNITS}
EMITTED = OF_AWS | OF_JOBS

# By what a metric can be asked for: what the handlers put, beside the environment.
DIMENSIONS = [
    set(),
    {names.QUEUE},
    {names.PROJECT},
    {names.STATE},
    {names.QUEUE, names.STATE},
    {names.PROJECT, names.STATE},
    {names.QUEUE, names.REASON},
    {names.COMPUTE_ENVIRONMENT},
]


@pytest.fixture
def monitoring(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["JobMonitoring"]


@pytest.fixture
def alarms(monitoring: TemplateJson) -> dict[str, Properties]:
    return {one["AlarmName"]: one for one in properties(monitoring, "AWS::CloudWatch::Alarm").values()}


@pytest.fixture
def widgets(monitoring: TemplateJson) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(only(monitoring, "AWS::CloudWatch::Dashboard")["DashboardBody"])[
        "widgets"
    ]
    assert len(found) > 10
    return found


def drawn(widgets: list[Mapping[str, Any]]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Every metric of the dashboard: its namespace, name and dimensions."""
    for widget in widgets:
        for line in widget["properties"]["metrics"]:
            if isinstance(line[0], str):
                namespace, name, *rest = line
                pairs = rest[:-1] if isinstance(rest[-1], dict) else rest
                yield namespace, name, dict(zip(pairs[::2], pairs[1::2], strict=True))
            elif searched := re.search(r"SEARCH\('\{([^,}]+),(\w+)\} MetricName=\"(\w+)\"", line[0]["expression"]):
                yield searched[1], searched[3], {searched[2]: "*"}


def watched(alarm: Properties) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The metrics of an alarm."""
    stats = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query] or [alarm]
    for metric in stats:
        yield (
            metric["Namespace"],
            metric["MetricName"],
            {one["Name"]: text(one["Value"]) for one in metric["Dimensions"]},
        )


class TestDashboard:
    def test_it_draws_what_is_measured(self, widgets: list[Mapping[str, Any]], environment: Environment) -> None:
        found = list(drawn(widgets))
        assert {namespace for namespace, _, _ in found} == {
            names.NAMESPACE,
            HOST_METRICS,
            "AWS/SQS",
            "AWS/Events",
            "AWS/Lambda",
        }
        assert {(namespace, name) for namespace, name, _ in found if namespace != HOST_METRICS} - EMITTED == set()
        for namespace, name, dimensions in found:
            if namespace in {names.NAMESPACE, HOST_METRICS}:
                assert dimensions.pop(names.ENVIRONMENT) == environment.name
                assert set(dimensions) in DIMENSIONS, name

    def test_hosts_measure_what_is_drawn_of_them(
        self, widgets: list[Mapping[str, Any]], stacks: Mapping[str, TemplateJson]
    ) -> None:
        found = {name for namespace, name, _ in drawn(widgets) if namespace == HOST_METRICS}
        assert found
        for template in properties(stacks["Batch"], "AWS::EC2::LaunchTemplate").values():
            user_data = text(template["LaunchTemplateData"]["UserData"])
            assert HOST_METRICS in user_data
            assert {name for name in found if f'"{name}' not in user_data.replace("\\", "")} == set()

    def test_everything_that_is_measured_is_drawn(self, widgets: list[Mapping[str, Any]]) -> None:
        assert {name for namespace, name, _ in drawn(widgets) if namespace == names.NAMESPACE} == set(names.UNITS)

    def test_every_queue_compute_environment_and_project_is_on_it(
        self, widgets: list[Mapping[str, Any]], environment: Environment, stacks: Mapping[str, TemplateJson]
    ) -> None:
        made = {one["JobQueueName"] for one in properties(stacks["Batch"], "AWS::Batch::JobQueue").values()}
        by: dict[str, set[str]] = {}
        for _, _, dimensions in drawn(widgets):
            for dimension, value in dimensions.items():
                by.setdefault(dimension, set()).add(value)
        assert by[names.QUEUE] == made
        assert by[names.PROJECT] == {project.name for project in environment.projects} | {names.OTHER_PROJECT}
        on_instances = environment.batch.instance_ceilings
        assert len(by[names.COMPUTE_ENVIRONMENT]) == len(on_instances)

    def test_ceilings_and_budgets_are_lines(self, widgets: list[Mapping[str, Any]], environment: Environment) -> None:
        lines = [
            sorted(line["value"] for line in widget["properties"]["annotations"]["horizontal"])
            for widget in widgets
            if "annotations" in widget["properties"]
        ]
        budgets = sorted(project.batch.daily_usd for project in environment.projects)
        assert lines == [sorted(environment.batch.instance_ceilings), budgets]

    def test_expressions_name_lines_of_their_own_graph(self, widgets: list[Mapping[str, Any]]) -> None:
        for widget in widgets:
            lines = widget["properties"]["metrics"]
            ids = {line[-1]["id"] for line in lines if isinstance(line[-1], dict) and "id" in line[-1]}
            for line in lines:
                expression = line[0]["expression"] if isinstance(line[0], dict) else ""
                if "SEARCH" not in expression:
                    assert set(re.findall(r"[a-z]\w*", expression)) <= ids, expression


class TestAlarms:
    def test_they_watch_what_is_measured(self, alarms: Mapping[str, Properties], environment: Environment) -> None:
        for name, alarm in alarms.items():
            found = list(watched(alarm))
            assert found, name
            for namespace, metric, dimensions in found:
                assert (namespace, metric) in EMITTED, name
                if namespace == names.NAMESPACE:
                    assert dimensions.pop(names.ENVIRONMENT) == environment.name
                    assert set(dimensions) in DIMENSIONS, name

    def test_they_are_few(self, alarms: Mapping[str, Properties], environment: Environment) -> None:
        prefix = f"aerodrome-{environment.name}"
        of_projects = {
            f"{prefix}-batch-{kind}-{p.name}" for kind in ("failure-rate", "project-cost") for p in environment.projects
        }
        assert set(alarms) - of_projects == {
            f"{prefix}-{slug}"
            for slug in (
                "batch-compute-environment-invalid",
                "batch-queue-blocked",
                "batch-runnable-age",
                "batch-spot-reclaims",
                "batch-watch",
                "ingest-dead-letters",
                "job-events",
                "job-monitoring-failed",
            )
        }
        assert of_projects <= set(alarms)

    def test_a_project_is_told_of_above_its_budget(
        self, alarms: Mapping[str, Properties], environment: Environment
    ) -> None:
        for project in environment.projects:
            alarm = alarms[f"aerodrome-{environment.name}-batch-project-cost-{project.name}"]
            assert (alarm["Threshold"], alarm["Period"], alarm["Statistic"]) == (project.batch.daily_usd, 86_400, "Sum")

    @pytest.mark.parametrize(
        ("failed", "succeeded", "fires"),
        [(0, 100, False), (9, 0, False), (10, 0, True), (2, 8, False), (3, 8, True), (20, 80, False)],
    )
    def test_a_few_failures_wake_nobody_and_a_fifth_of_an_hours_jobs_does(
        self, alarms: Mapping[str, Properties], environment: Environment, *, failed: int, succeeded: int, fires: bool
    ) -> None:
        alarm = alarms[f"aerodrome-{environment.name}-batch-failure-rate-{environment.projects[0].name}"]
        (expression,) = [query["Expression"] for query in alarm["Metrics"] if "Expression" in query]
        assert expression == f"IF((failed + succeeded) >= {FEWEST_ENDED}, 100 * failed / (failed + succeeded), 0)"
        ended = failed + succeeded
        rate = 100 * failed / ended if ended >= FEWEST_ENDED else 0
        assert (rate > alarm["Threshold"]) is fires
        assert alarm["Threshold"] == FAILED_PERCENT

    def test_their_queues_and_functions_are_made(
        self, alarms: Mapping[str, Properties], monitoring: TemplateJson, environment: Environment
    ) -> None:
        prefix = f"aerodrome-{environment.name}"
        functions = {one["FunctionName"] for one in properties(monitoring, "AWS::Lambda::Function").values()}
        assert functions == {f"{prefix}-job-events", f"{prefix}-batch-watch"}
        for name in functions:
            assert alarms[name]["Dimensions"] == [{"Name": "FunctionName", "Value": name}]
        queues = {one["QueueName"] for one in properties(monitoring, "AWS::SQS::Queue").values()}
        assert alarms[f"{prefix}-job-monitoring-failed"]["Dimensions"][0]["Value"] in queues


def settings(monitoring: TemplateJson, function: str) -> Settings:
    return Settings.of(with_id(monitoring, "AWS::Lambda::Function", function)["Environment"]["Variables"])


@pytest.mark.parametrize("function", ["EventsFunction", "WatchFunction"])
def test_a_function_knows_every_queue_and_project_and_no_more_than_lambda_takes(
    monitoring: TemplateJson, stacks: Mapping[str, TemplateJson], environment: Environment, function: str
) -> None:
    found = settings(monitoring, function)
    made = {one["JobQueueName"] for one in properties(stacks["Batch"], "AWS::Batch::JobQueue").values()}
    assert set(found.queues) == made == set(queue_kinds(environment))
    assert dict(found.projects) == {project.share_identifier: project.name for project in environment.projects}
    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    assert sum(len(name) + len(value) for name, value in found.variables().items()) < 4096


def test_a_roles_name_says_whose_job_it_is(monitoring: TemplateJson, stacks: Mapping[str, TemplateJson]) -> None:
    prefix = settings(monitoring, "EventsFunction").role_prefix
    roles = [one["RoleName"] for one in properties(stacks["Identity"], "AWS::IAM::Role").values() if "RoleName" in one]
    projects = settings(monitoring, "EventsFunction").projects.values()
    for project in projects:
        assert [role for role in roles if role.startswith(f"{prefix}{project}-")], project


def test_what_is_retried_as_a_reclaim_is_counted_as_one(
    monitoring: TemplateJson, stacks: Mapping[str, TemplateJson]
) -> None:
    counted = settings(monitoring, "EventsFunction").reclaims
    retried = {
        condition["OnStatusReason"]
        for name, stack in stacks.items()
        if name.startswith("Jobs")
        for job in properties(stack, "AWS::Batch::JobDefinition").values()
        for condition in job["RetryStrategy"]["EvaluateOnExit"]
        if condition["Action"] == "RETRY" and "OnStatusReason" in condition
    }
    lost = {reason for reason in retried if reason.startswith(("Host", "Your Spot Task"))}
    assert lost
    assert lost <= set(counted)


def test_prices_are_known_of_every_queue_and_spot_is_the_cheaper(
    monitoring: TemplateJson, environment: Environment
) -> None:
    queues = settings(monitoring, "EventsFunction").queues
    assert all(0.005 < queue.usd_per_vcpu_hour < 1 for queue in queues.values())
    prices = {kind: queues[name].usd_per_vcpu_hour for name, kind in queue_kinds(environment).items()}
    assert prices[Kind.SPOT] < prices[Kind.ON_DEMAND]
