"""Holds tasks that the connector for AWS Batch runs against what it would say of them in an environment.

What no account has, ``flytekit_aws_batch`` refuses itself, when the task is made. Here is what it cannot know then: the
queues of the environment and the largest instances behind them; and what flytekit takes without handing it on.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from pydantic import ValidationError

from aerodrome.check_workflows.connector_settings import settings_of
from aerodrome.check_workflows.facts import BATCH, Node, Package, Task, resources
from aerodrome.check_workflows.rules import Finding
from aerodrome_stacks.environment import Environment
from flytekit_aws_batch.common import TASK_TYPE
from flytekit_aws_batch.config import Payload
from flytekit_aws_batch.core.containers import rounded
from flytekit_aws_batch.core.plan import JobRequest, folder_of
from flytekit_aws_batch.core.planning import plan
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.queues import kinds_for, to_be_made
from flytekit_aws_batch.core.retries import timeout
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.spec import KINDS, ArraySpec, Kind

_SECTIONS: Mapping[Kind, str] = {"gpu": "batch.gpu", "arm": "batch.arm"}
"""What makes queues of a kind in an environment's file. It has the others anyway."""


def unheard(package: Package) -> Iterator[Finding]:
    """Find what the connector does not hear, or hears otherwise than it was meant, whatever the environment.

    Args:
        package: What would be registered.
    """
    for task in package.tasks:
        if task.maps is not None and task.maps[1] == TASK_TYPE:
            yield _finding(
                task,
                f"map_task({task.maps[0].rpartition('.')[2]})",
                "flytekit's makes a node of Flyte and a job by itself of each element, each of which is submitted and "
                "asked after alone",
                "use map_task of flytekit_aws_batch: one array job",
                refused=False,
            )
        elif task.by_connector:
            yield from _unsaid(task)
    tasks = {task.name: task for task in package.tasks if task.by_connector}
    for node in package.nodes:
        if node.task in tasks:
            yield from _overridden(node)


def _unsaid(task: Task) -> Iterator[Finding]:
    payload = _payload(task)
    if payload is None:
        yield _finding(
            task,
            "what it says of its job",
            "another version of flytekit-aws-batch made it than this project has, and the connector would refuse it",
            "install the version in connectors/flytekit_aws_batch for the interpreter that loads the package",
        )
    if task.timeout is None:
        # AWSBatchContainerTask has no option of that name, and refuses it.
        written = "timeout=timedelta(...)"
        if payload is not None and payload.kind == "container":
            written = f"metadata=TaskMetadata({written})"
        yield _finding(
            task,
            "no timeout",
            "a job that hangs costs money until somebody sees it",
            f"write {written}, as long as an attempt may take",
            refused=False,
        )
    missing = [name.lower() for name in ("CPU", "MEMORY") if name not in task.resources]
    if missing:
        yield _finding(
            task,
            f"no {' and no '.join(missing)}",
            "the connector's default decides, one vCPU with 2 GiB for each",
            "say it: limits=Resources(cpu=..., mem=...)",
            refused=False,
        )


def _overridden(node: Node) -> Iterator[Finding]:
    asked = resources(node.overrides.get("resources", {}))
    values = [f"{name.lower()}={value!r}" for name, value in asked.items()]
    values += ["pod_template=..."] if "pod_template" in node.overrides else []
    values += ["accelerator=..."] if node.overrides.get("extended_resources", {}).get("gpu_accelerator") else []
    if values:
        yield Finding(
            refused=True,
            place=None,
            subject=node.subject,
            value=f"with_overrides({', '.join(values)})",
            reason="a job gets what its task says where it is written, and hears of no override",
            way_out="say it in @task(limits=...), or make a task of its own for it",
        )


def misnamed(package: Package) -> Iterator[Finding]:
    """Find the nodes, of whatever kind, in whose folder no role of a project may write.

    Flyte names the folder of a node after it, within a workflow that another one calls, too (``GetNodeExecutionStatus``
    in flytepropeller/pkg/apis/flyteworkflow/v1alpha1, Flyte 1.16.8).

    Args:
        package: What would be registered.
    """
    kept = folder_of("").removeprefix("/")
    for workflow, name in package.node_names:
        if name == kept:
            yield Finding(
                refused=True,
                place=None,
                subject=f"a node of workflow {workflow}",
                value=f"with_overrides(node_name={name!r})",
                reason="its results would lie in a folder of that name, where no role of a project may write: the "
                "connector for AWS Batch keeps there what it acts on",
                way_out="give the node another name",
            )


def described(task: Task) -> str:
    """What a task asks the connector for, in a line."""
    payload = _payload(task)
    if payload is None:
        return "unknown"
    asked, spec, mapped = payload.resources, payload.spec, payload.mapped
    said = [
        *([] if mapped is None else ["an array" + (f", {mapped.concurrency} at once" if mapped.concurrency else "")]),
        *([f"{spec.nodes} nodes"] if spec.nodes > 1 else []),
        spec.queue or kinds_for(_request(task, payload))[0],
        _vcpus(payload),
        f"{asked.memory_mib} MiB",
        *([f"{asked.gpus} GPU{'' if asked.gpus == 1 else 's'}"] if asked.gpus else []),
        f"{task.retries} {'retry' if task.retries == 1 else 'retries'}",
        *_longest(task),
        *(["cached"] if task.metadata.get("discoverable", False) else []),
    ]
    return ", ".join(said)


def _longest(task: Task) -> Iterator[str]:
    """How long an attempt may take, and what it asked for where that is less than Batch takes."""
    got, _ = timeout(task.timeout)
    if got is not None:
        asked = "" if got == task.timeout else f" (asked for {task.timeout} s)"
        yield f"at most {timedelta(seconds=got)}{asked} each"


def _vcpus(payload: Payload) -> str:
    """What its job gets, and what it asked for where that is less."""
    asked, queue = payload.resources, payload.spec.queue
    got = asked if queue == "fargate" else rounded(asked, fargate=False)[0]
    said = f"{got.vcpus:g} vCPU{'' if got.vcpus == 1 else 's'}"
    if got == asked:
        return said
    # What runs behind a queue that is named by its name is the environment's to say.
    where = "if on instances" if queue is not None and queue not in KINDS else "on instances"
    return f"{said} (asked for {asked.vcpus:g}, rounded up {where})"


def unfit(package: Package, environment: Environment) -> Iterator[Finding]:
    """Find the tasks that an environment has nothing for: no connector, no queue, or no instance.

    Args:
        package: What would be registered.
        environment: Where, with the projects that it may be for. What one of them may run is not refused.
    """
    # A task and those that map over it are written in one place, and have one mistake.
    told: set[tuple[str, str]] = set()
    for finding in _unfit(package, environment):
        mistake = (finding.place or finding.subject, finding.value)
        if mistake not in told:
            told.add(mistake)
            yield finding


def _unfit(package: Package, environment: Environment) -> Iterator[Finding]:
    settings = settings_of(environment)
    for task in package.tasks:
        if task.kind == BATCH and not environment.flyte.batch_plugin:
            yield _finding(
                task,
                f"a task of type {BATCH}",
                f"{environment.name} does without Flyte's plugin for AWS Batch: it would run as one container",
                "write task_config=AWSBatch(...) of flytekit_aws_batch, or set flyte.batch_plugin of "
                f"{environment.name} to true",
            )
        elif task.kind == TASK_TYPE and environment.flyte.batch_connector is None:
            yield _finding(
                task,
                f"a task of type {TASK_TYPE}",
                f"{environment.name} has no connector for AWS Batch: Flyte would take it for a plain container",
                f"give flyte.batch_connector of {environment.name} its image (connectors/flytekit_aws_batch/README.md)",
            )
        elif task.kind == TASK_TYPE and (payload := _payload(task)) is not None:
            yield from _refused(task, payload, environment, settings)


def _refused(task: Task, payload: Payload, environment: Environment, settings: Settings) -> Iterator[Finding]:
    """What the connector would answer: of the first project and domain, where it refuses the task in all of them."""
    answers = [
        _answer(_request(task, payload, project, domain), settings) for project, domain in environment.project_domains
    ]
    if not all(answers):
        return
    for problem in answers[0]:
        value, _, told = problem.partition(": ")
        reason, _, way_out = told.rpartition("; ")
        yield _finding(
            task,
            value,
            reason or f"the connector refuses it in {environment.name}",
            _of_file(way_out, value, environment),
        )


def _of_file(way_out: str, value: str, environment: Environment) -> str:
    """A way out of the connector's, which knows its own settings alone, with what the environment's file would do."""
    file = f"environments/{environment.name}.yaml"
    for kind, section in _SECTIONS.items():
        way_out = way_out.replace(to_be_made(kind), f"have {section} written into {file}")
    if ".file_system=" in value and not environment.batch.efs:
        return f"{way_out}; or have batch.efs: true written into {file}, whose name is efs"
    return way_out


def _answer(request: JobRequest, settings: Settings) -> list[str]:
    try:
        plan(request, settings)
    except RefusedError as refused:
        return str(refused).splitlines()
    return []


def _request(task: Task, payload: Payload, project: str = "any", domain: str = "any") -> JobRequest:
    """What Flyte would ask the connector for, in a first attempt."""
    container = task.template.get("container", {})
    return JobRequest(
        project=project,
        domain=domain,
        execution="checked",
        node="n0",
        task=task.name,
        attempt=0,
        image=container.get("image", ""),
        command=tuple(container.get("args", ())),
        environment={one["key"]: one.get("value", "") for one in container.get("env", ())},
        resources=payload.resources,
        spec=payload.spec,
        retries=task.retries,
        timeout_seconds=task.timeout,
        # The connector takes a task that says nothing for one that may be.
        interruptible=bool(task.metadata.get("interruptible", True)),
        job_role=None,
        output_prefix="s3://checked/n0/0",
        # Of the list, nothing is known but that it is one.
        array=None if payload.mapped is None else ArraySpec(size=2, min_success_ratio=payload.mapped.min_success_ratio),
    )


def _payload(task: Task) -> Payload | None:
    # Of a task that flytekit maps over, the template is that of one element.
    try:
        return Payload.model_validate(dict(task.custom))
    except ValidationError:
        return None


def _finding(task: Task, value: str, reason: str, way_out: str, *, refused: bool = True) -> Finding:
    return Finding(
        refused=refused,
        place=task.place,
        subject=task.subject,
        value=value,
        reason=reason,
        way_out=way_out,
    )
