"""What a package of Flyte workflows holds: the probe's report, read."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flytekit_aws_batch.common import TASK_TYPE

BATCH = "aws-batch"
"""The task type of flytekitplugins-awsbatch, which propeller hands to its plugin for AWS Batch."""

MOST_RETRIES = 9
"""The plugin's ``maxRetries`` here. AWS Batch takes 10 attempts: the first, and 9 retries."""

_LEAST_RETRIES = 1  # The plugin's minRetries, which it does not let go of.
_MEGA = 10**6
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>m|k|M|G|T|P|E|[KMGTPE]i|)")
_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** (power + 1) for power, unit in enumerate(("k", "M", "G", "T", "P", "E"))},
    **{f"{unit}i": Decimal(1024) ** (power + 1) for power, unit in enumerate("KMGTPE")},
}


def quantity(text: str) -> Decimal:
    """The number that a Kubernetes quantity such as ``500m`` or ``16Gi`` stands for.

    Raises:
        ValueError: If it is none.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity such as 500m, 2 or 16Gi")
    return Decimal(match["number"]) * _UNITS[match["unit"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the plugin asks of AWS Batch for a task.

    Attributes:
        vcpus: Whole vCPUs, rounded up. None if the task names none: flyteadmin's default, or the plugin's, decides.
        memory: In MiB. The plugin counts the task's bytes in units of 10^6 and AWS Batch reads MiB, which gives the
            container 4.9 % more than it asked for. None as with vCPUs.
        attempts: How often the job may be started.
        timeout: How long an attempt may run, in seconds. None: the plugin's default here, 24 hours.
    """

    vcpus: int | None
    memory: int | None
    attempts: int
    timeout: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it would be registered.

    Attributes:
        template: The task's template, in the names of flyteidl's TaskTemplate.
        place: ``file:line`` of its function, where there is one.
        maps: Name and type of the task that this one maps over.
        dynamic: Whether it makes a workflow when it runs.
        connector: Whether flytekit has it started by a connector.
        calls: The Batch tasks that a dynamic workflow names.
    """

    template: Mapping[str, Any]
    place: str | None = None
    maps: tuple[str, str] | None = None
    dynamic: bool = False
    connector: bool = False
    calls: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The module and the function."""
        return str(self.template["id"]["name"])

    @property
    def subject(self) -> str:
        """Whom to name to its author: of one that maps over a task, that task."""
        return f"task {self.name if self.maps is None else self.maps[0]}"

    @property
    def kind(self) -> str:
        """Its task type: of one that maps over a task, the type of that task."""
        return str(self.template["type"]) if self.maps is None else self.maps[1]

    @property
    def on_batch(self) -> bool:
        """Whether propeller hands it to its plugin for AWS Batch."""
        return bool(self.template["type"] == BATCH)

    @property
    def by_connector(self) -> bool:
        """Whether propeller hands it to the connector for AWS Batch."""
        return bool(self.template["type"] == TASK_TYPE)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Retries, timeout, cache and the like."""
        return dict(self.template.get("metadata", {}))

    @property
    def custom(self) -> Mapping[str, Any]:
        """What its ``task_config`` says, as far as it says anything."""
        return {name: value for name, value in self.template.get("custom", {}).items() if value is not None}

    @property
    def retries(self) -> int:
        """How often the task says that it may be retried."""
        return int(self.metadata.get("retries", {}).get("retries", 0))

    @property
    def timeout(self) -> int | None:
        """How long it says that an attempt may run, in seconds."""
        text = str(self.metadata.get("timeout", "0s"))
        return math.ceil(Decimal(text.removesuffix("s"))) or None

    @property
    def resources(self) -> Mapping[str, str]:
        """What it asks for, by flyteidl's name, as written: the limit, or the request where there is no limit."""
        return resources(self.template.get("container", {}).get("resources", {}))

    @property
    def ask(self) -> Ask:
        """What the plugin makes of it: ``FlyteTaskToBatchInput`` in flyteplugins' array/awsbatch/transformer.go."""
        cpu, memory = self.resources.get("CPU"), self.resources.get("MEMORY")
        return Ask(
            vcpus=None if cpu is None else math.ceil(quantity(cpu)),
            memory=None if memory is None else math.ceil(quantity(memory) / _MEGA),
            attempts=min(max(self.retries, _LEAST_RETRIES), MOST_RETRIES) + 1,
            timeout=self.timeout,
        )


def resources(container: Mapping[str, Any]) -> Mapping[str, str]:
    """What flyteidl's ``Resources`` ask for, by name: the limit, or the request where there is no limit."""
    entries = (*container.get("requests", ()), *container.get("limits", ()))
    return {entry["name"]: entry["value"] for entry in entries}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of a workflow that runs a task.

    Attributes:
        workflow: The workflow's name.
        identifier: The node's.
        task: The name of its task.
        overrides: What ``with_overrides`` changes of the task, in the names of flyteidl's TaskNodeOverrides.
        interruptible: Whether the node says that it may be interrupted.
    """

    workflow: str
    identifier: str
    task: str
    overrides: Mapping[str, Any]
    interruptible: bool

    @property
    def subject(self) -> str:
        """Whom to name to its author, where its task is a job."""
        return f"node {self.identifier} of workflow {self.workflow}, which runs {self.task} on AWS Batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Something that was registered before, and that a workflow or a dynamic one runs.

    Attributes:
        kind: ``task`` or ``launch plan``. flytekit refuses workflows by themselves.
        project: Where it is registered.
        domain: In which domain of the project.
        name: Its name.
        subject: What refers to it.
        place: ``file:line`` of that, where it is known.
    """

    kind: str
    project: str
    domain: str
    name: str
    subject: str
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """All that a package would register.

    Attributes:
        tasks: Its tasks, in the order in which they are written.
        workflows: The names of its workflows.
        launch_plans: The names of its launch plans; each workflow has one of its own name.
        nodes: The nodes of its workflows that run a task.
        node_names: The workflow and the identifier of each node, whatever it runs.
        references: What it refers to by project, domain and name.
        crowding: The launch plans that have a schedule, and no limit of how many of their executions run at once.
    """

    tasks: Sequence[Task]
    workflows: Sequence[str]
    launch_plans: Sequence[str]
    nodes: Sequence[Node]
    node_names: Sequence[tuple[str, str]] = ()
    references: Sequence[Reference] = ()
    crowding: Sequence[str] = ()


def read(report: Mapping[str, Any]) -> Package:
    """Read the probe's report."""
    # A workflow that another one calls is in the report by itself and with the other.
    workflows = {
        workflow["name"]: [node for outer in workflow["nodes"] for node in _with_inner(outer)]
        for workflow in report["workflows"]
    }
    return Package(
        tasks=[
            Task(
                template=task["template"],
                place=task["place"],
                maps=None if task["maps"] is None else (task["maps"]["name"], task["maps"]["type"]),
                dynamic=task["dynamic"],
                connector=task["connector"],
                calls=task["calls"],
            )
            for task in report["tasks"]
        ],
        workflows=list(workflows),
        launch_plans=list(report["launch_plans"]),
        nodes=[_node(name, node) for name, nodes in workflows.items() for node in nodes if "task_node" in node],
        node_names=[(name, node.get("id", "")) for name, nodes in workflows.items() for node in nodes],
        references=[
            *(one for name, nodes in workflows.items() for node in nodes for one in _references(name, node)),
            *(
                Reference(**one, subject=f"task {task['template']['id']['name']}", place=task["place"])
                for task in report["tasks"]
                for one in task["references"]
            ),
        ],
        crowding=[schedule["launch_plan"] for schedule in report["schedules"] if schedule["concurrency"] is None],
    )


def _node(workflow: str, node: Mapping[str, Any]) -> Node:
    return Node(
        workflow=workflow,
        identifier=node.get("id", ""),
        task=node["task_node"]["reference_id"]["name"],
        overrides=node["task_node"].get("overrides", {}),
        interruptible=bool(node.get("metadata", {}).get("interruptible", False)),
    )


def _references(workflow: str, node: Mapping[str, Any]) -> Iterator[Reference]:
    """What a node refers to: what is of the package itself has no project yet."""
    named = {
        "task": node.get("task_node", {}).get("reference_id", {}),
        "launch plan": node.get("workflow_node", {}).get("launchplan_ref", {}),
    }
    for kind, identifier in named.items():
        if identifier.get("project"):
            yield Reference(
                kind=kind,
                project=identifier["project"],
                domain=identifier["domain"],
                name=identifier["name"],
                subject=f"node {node['id']} of workflow {workflow}",
            )


def _with_inner(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A node, and all within it."""
    yield node
    for inner in _within(node):
        yield from _with_inner(inner)


def _within(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The nodes within a node: the branches of a condition, what an array maps over."""
    branches = node.get("branch_node", {}).get("if_else", {})
    within = [
        *(case["then_node"] for case in (branches.get("case"), *branches.get("other", ())) if case),
        branches.get("else_node"),
        node.get("array_node", {}).get("node"),
    ]
    yield from (inner for inner in within if inner is not None)
