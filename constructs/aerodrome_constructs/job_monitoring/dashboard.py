"""One page that shows how AWS Batch fares: a CloudWatch dashboard."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from aerodrome_constructs.job_monitoring.metrics_handler import names

Widget = dict[str, Any]

_MINUTES = 60
_WIDTH = 24
_DAY = 24 * 60 * _MINUTES
# As the watch looks.
_LOOK = 5 * _MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDashboardProps:
    """What the dashboard needs to know.

    Attributes:
        name: Its name.
        environment: The environment's name, a dimension of every metric.
        region: The region of the metrics.
        queues: The names of the job queues.
        ceilings: The most vCPUs of each compute environment, by its name in metrics.
        budgets: What each project may spend in a day, in US dollars.
        hosts: The namespace of what hosts tell of themselves.
        dead_letters: Queues that are empty when all is well, by what a person calls them.
        rules: What the names of EventBridge rules begin with whose failures are shown.
        functions: The names of functions whose errors are shown.
    """

    name: str
    environment: str
    region: str
    queues: Sequence[str]
    ceilings: Mapping[str, int]
    budgets: Mapping[str, int]
    hosts: str
    dead_letters: Mapping[str, str]
    rules: str
    functions: Sequence[str]


class JobDashboard(Construct):
    """A dashboard with a row for each question: what waits, runs, fails, costs, got lost, and where it runs."""

    def __init__(self, scope: Construct, construct_id: str, props: JobDashboardProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        rows = (
            self._waiting(),
            self._throughput(),
            self._failures(),
            self._capacity(),
            self._cost(),
            self._plumbing(),
            self._hosts(),
        )
        cloudwatch.CfnDashboard(
            self,
            "Resource",
            dashboard_name=props.name,
            dashboard_body=json.dumps({"widgets": [widget for row in rows for widget in row]}, separators=(",", ":")),
        )

    def _waiting(self) -> Iterable[Widget]:
        yield self._graph(
            "For how long the first has stood still, by queue",
            "seconds",
            self._by(names.QUEUE, self._props.queues, names.RUNNABLE_AGE),
            stat="Maximum",
            period=_LOOK,
        )
        yield self._graph(
            "How long jobs waited to start, by queue (9 of 10 were quicker)",
            "seconds",
            self._by(names.QUEUE, self._props.queues, names.WAIT_SECONDS),
            stat="p90",
        )
        yield self._graph(
            "Jobs that wait now, by queue (100 stands for more)",
            "jobs",
            self._by(names.QUEUE, self._props.queues, names.WAITING_JOBS),
            stat="Maximum",
            period=_LOOK,
        )

    def _throughput(self) -> Iterable[Widget]:
        yield self._graph(
            "Jobs that came into a state",
            "jobs",
            [self._metric(names.JOBS, {names.STATE: state}, label=state) for state in names.STATES],
        )
        yield self._graph(
            "Jobs that succeeded, by project",
            "jobs",
            [
                self._metric(names.JOBS, {names.PROJECT: project, names.STATE: "SUCCEEDED"}, label=project)
                for project in self._props.budgets
            ],
        )
        yield self._graph(
            "How long attempts ran, by queue (half were quicker)",
            "seconds",
            self._by(names.QUEUE, self._props.queues, names.RUN_SECONDS),
            stat="p50",
        )

    def _failures(self) -> Iterable[Widget]:
        rates: list[Any] = []
        for number, project in enumerate(self._props.budgets):
            ends = {"f": "FAILED", "s": "SUCCEEDED"}
            rates += [
                self._metric(
                    names.JOBS, {names.PROJECT: project, names.STATE: state}, id=f"{letter}{number}", visible=False
                )
                for letter, state in ends.items()
            ]
            rates.append([{"expression": f"100*f{number}/(f{number}+s{number})", "label": project, "id": f"r{number}"}])
        yield self._graph("Jobs that failed, % of those that ended, by project", "%", rates, period=60 * _MINUTES)
        yield self._graph(
            "Attempts whose host was taken back, % of those that ended",
            "%",
            [
                self._metric(names.SPOT_RECLAIMS, {}, id="reclaims", visible=False),
                self._metric(names.ATTEMPTS, {}, id="attempts", visible=False),
                [{"expression": "100*reclaims/attempts", "label": "reclaimed", "id": "rate"}],
            ],
            period=60 * _MINUTES,
        )
        yield self._graph(
            "Compute environments that are INVALID, and queues that are blocked",
            "",
            [
                self._metric(names.INVALID_COMPUTE_ENVIRONMENTS, {}, label="invalid", stat="Maximum"),
                self._metric(names.QUEUE_BLOCKED, {}, label="blocked"),
            ],
            period=_LOOK,
        )

    def _capacity(self) -> Iterable[Widget]:
        on_instances = [name for name in self._props.ceilings if not name.startswith("Fargate")]
        yield self._graph(
            "vCPUs of instances; the lines are the ceilings",
            "vCPUs",
            self._by(names.COMPUTE_ENVIRONMENT, on_instances, names.DESIRED_VCPUS),
            stat="Maximum",
            period=_LOOK,
            lines={name: self._props.ceilings[name] for name in on_instances},
        )
        used: list[Any] = []
        for number, queue in enumerate(self._props.queues):
            used.append(self._metric(names.VCPU_SECONDS, {names.QUEUE: queue}, id=f"m{number}", visible=False))
            used.append([{"expression": f"m{number}/PERIOD(m{number})", "label": queue, "id": f"v{number}"}])
        yield self._graph(
            "vCPUs that jobs used on average, by queue, told when they end", "vCPUs", used, period=60 * _MINUTES
        )

    def _cost(self) -> Iterable[Widget]:
        yield self._graph(
            "Estimated cost a day, by project; the lines are what each may spend",
            "US dollars",
            self._by(names.PROJECT, [*self._props.budgets, names.OTHER_PROJECT], names.ESTIMATED_USD),
            period=_DAY,
            lines=self._props.budgets,
        )
        yield self._graph(
            "Estimated cost an hour, by queue",
            "US dollars",
            self._by(names.QUEUE, self._props.queues, names.ESTIMATED_USD),
            period=60 * _MINUTES,
        )

    def _plumbing(self) -> Iterable[Widget]:
        words = self._props.rules.replace("-", " ").strip()
        yield self._graph(
            "What came to nothing: dead letters",
            "messages",
            [
                ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, {"label": label}]
                for label, queue in self._props.dead_letters.items()
            ],
            stat="Maximum",
        )
        yield self._graph(
            "Rules that could not deliver",
            "events",
            # By search, which takes a name apart at its hyphens: CloudFormation makes up the names of some rules.
            [[{"expression": f"SEARCH('{{AWS/Events,RuleName}} MetricName=\"FailedInvocations\" {words}', 'Sum')"}]],
        )
        yield self._graph(
            "Errors of the functions that measure this",
            "errors",
            [["AWS/Lambda", "Errors", "FunctionName", name, {"label": name}] for name in self._props.functions],
        )

    def _hosts(self) -> Iterable[Widget]:
        on_instances = [name for name in self._props.ceilings if not name.startswith("Fargate")]
        for title, metric in (
            ("CPU of the busiest host", "cpu_usage_active"),
            ("Memory of the fullest host", "mem_used_percent"),
            ("Disk of the fullest host", "disk_used_percent"),
        ):
            yield self._graph(
                f"{title}, by compute environment",
                "%",
                self._by(names.COMPUTE_ENVIRONMENT, on_instances, metric, namespace=self._props.hosts),
                stat="Maximum",
            )

    def _by(
        self, dimension: str, values: Iterable[str], name: str, *, namespace: str = names.NAMESPACE
    ) -> list[list[Any]]:
        return [self._metric(name, {dimension: value}, namespace=namespace, label=value) for value in values]

    def _metric(
        self, name: str, dimensions: Mapping[str, str], *, namespace: str = names.NAMESPACE, **options: object
    ) -> list[Any]:
        pairs = {names.ENVIRONMENT: self._props.environment, **dimensions}
        return [namespace, name, *(part for pair in pairs.items() for part in pair), options]

    def _graph(
        self,
        title: str,
        unit: str,
        metrics: Sequence[Sequence[Any]],
        *,
        stat: str = "Sum",
        period: int = _LOOK,
        lines: Mapping[str, int] | None = None,
    ) -> Widget:
        properties: dict[str, Any] = {
            "title": title,
            "region": self._props.region,
            "view": "timeSeries",
            "stat": stat,
            "period": period,
            "metrics": metrics,
            "yAxis": {"left": {"min": 0, "label": unit, "showUnits": False}},
        }
        if lines:
            properties["annotations"] = {
                "horizontal": [{"label": label, "value": value} for label, value in lines.items()]
            }
        return {"type": "metric", "width": _WIDTH // 3, "height": 6, "properties": properties}
