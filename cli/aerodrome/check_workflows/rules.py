"""What Flyte's plugin for AWS Batch cannot do, and what it does otherwise than a task says.

Read in the sources of Flyte 1.16.8: flyteplugins/go/tasks/plugins/array/awsbatch turns a task into a SubmitJob call
with a command, environment variables, vCPUs and memory, a number of attempts and a timeout. All else that a task asks
for is lost.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aerodrome.check_workflows.facts import BATCH, MOST_RETRIES, Node, Package, Task, quantity, resources

_SHORTEST_TIMEOUT = 60  # https://docs.aws.amazon.com/batch/latest/APIReference/API_JobTimeout.html
_AS_A_POD = "run the task as a pod: leave AWSBatchConfig out"
_BY_CONNECTOR = "let the connector run it: task_config=AWSBatch(...) of flytekit_aws_batch"
_ONE_JOB_A_TASK = (
    "use map_task and AWSBatch of flytekit_aws_batch, which make one array of it; or let one job work through the "
    "list, or map over a task without AWSBatchConfig"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a task asks of AWS Batch and does not get.

    Attributes:
        refused: Whether the package must not be registered with it. Otherwise it is worth knowing.
        place: ``file:line``, where it is known.
        subject: What asks: ``task MODULE.NAME``, or a node of a workflow.
        value: What it asks for, as it is written in Python.
        reason: Why it does not get it.
        way_out: What to write instead.
    """

    refused: bool
    place: str | None
    subject: str
    value: str
    reason: str
    way_out: str


@dataclass(frozen=True, slots=True)
class _Told:
    """A finding before it is known where it is."""

    value: str
    reason: str
    way_out: str


def findings(package: Package) -> Sequence[Finding]:
    """Everything that the plugin cannot do for a package, task by task, then node by node."""
    return [*_of_tasks(package), *_of_nodes(package)]


def _of_tasks(package: Package) -> Iterator[Finding]:
    for task in package.tasks:
        if task.maps is not None:
            if task.maps[1] == BATCH:
                users = sorted({node.workflow for node in package.nodes if node.task == task.name})
                where = f" (in {', '.join(users)})" if users else ""
                yield _finding(task, _mapped(task.maps[0], where, as_jobs=task.on_batch))
            continue
        for refusal in _RULES if task.on_batch else ():
            for told in refusal(task):
                yield _finding(task, told)
        if task.on_batch:
            for told in _unheard(task):
                yield _finding(task, told, refused=False)
        if task.dynamic and task.calls:
            yield _finding(task, _called_at_run_time(task))


def _of_nodes(package: Package) -> Iterator[Finding]:
    tasks = {task.name: task for task in package.tasks if task.on_batch and task.maps is None}
    for node in package.nodes:
        task = tasks.get(node.task)
        if task is None:
            continue
        told = [*_devices(resources(node.overrides.get("resources", {})), node.overrides, "with_overrides")]
        if "pod_template" in node.overrides:
            told.append(_pod_template("with_overrides(pod_template=...)"))
        for one in told:
            yield _at_node(node, one, refused=True)
        if node.interruptible and not task.metadata.get("interruptible", False):
            yield _at_node(node, _INTERRUPTIBLE, refused=False)


def _finding(task: Task, told: _Told, *, refused: bool = True) -> Finding:
    return _found(told, task.subject, task.place, refused=refused)


def _at_node(node: Node, told: _Told, *, refused: bool) -> Finding:
    return _found(told, node.subject, None, refused=refused)


def _found(told: _Told, subject: str, place: str | None, *, refused: bool) -> Finding:
    return Finding(
        refused=refused, place=place, subject=subject, value=told.value, reason=told.reason, way_out=told.way_out
    )


def _fargate(task: Task) -> Iterator[_Told]:
    platform = task.custom.get("platformCapabilities", "EC2")
    if platform != "EC2":
        yield _Told(
            f"platformCapabilities={platform!r}",
            "the job definitions that the plugin registers say vcpus and memory as only EC2 takes them, and name no "
            "execution role, without which nothing starts on Fargate",
            f"leave platformCapabilities out, or {_BY_CONNECTOR}",
        )


def _priority(task: Task) -> Iterator[_Told]:
    priority = task.custom.get("schedulingPriority")
    if priority is not None:
        yield _Told(
            f"schedulingPriority={priority:g}",
            "SubmitJob has no such field (its own is schedulingPriorityOverride), so the plugin drops it, and Flyte's "
            "queues are first in, first out",
            "leave it out; a job that must not wait runs in a domain of higher priority",
        )


def _retries(task: Task) -> Iterator[_Told]:
    if task.retries > MOST_RETRIES:
        yield _Told(
            f"retries={task.retries}",
            f"AWS Batch starts a job at most {MOST_RETRIES + 1} times, so the plugin cuts it to {MOST_RETRIES} retries",
            f"write retries={MOST_RETRIES} or less",
        )


def _timeout(task: Task) -> Iterator[_Told]:
    if task.timeout is None:
        yield _Told(
            "no timeout",
            "the plugin takes a job for failed only when all its attempts have failed: one that AWS Batch cancels, or "
            "that times out there, stays RUNNING in Flyte (flyteorg/flyte#2979) until the task's own timeout ends it",
            "write timeout=timedelta(...), as long as all attempts together may take",
        )
    elif task.timeout < _SHORTEST_TIMEOUT:
        yield _Told(
            f"timeout={task.timeout} s",
            f"AWS Batch takes no timeout below {_SHORTEST_TIMEOUT} s and would refuse the job",
            f"write timedelta(seconds={_SHORTEST_TIMEOUT}) or more, or run what is so short as a pod",
        )


def _cache(task: Task) -> Iterator[_Told]:
    if task.metadata.get("discoverable", False):
        yield _Told(
            "cache=True",
            "the plugin looks for the inputs of a cached task in a folder 0, where those of an array's first job would "
            "be: it finds no cached output, and fails the task when it stores one",
            f"{_BY_CONNECTOR}; or cache the tasks before and after it",
        )


def _secrets(task: Task) -> Iterator[_Told]:
    secrets = task.template.get("security_context", {}).get("secrets", ())
    if secrets:
        names = ", ".join("/".join(filter(None, (secret.get("group"), secret.get("key")))) for secret in secrets)
        yield _Told(
            f"secret_requests of {names}",
            "a webhook of Kubernetes puts secrets into pods; nothing puts them into a job",
            f"{_BY_CONNECTOR}; or read the value in the task, from AWS Secrets Manager with the job's role",
        )


def _pod(task: Task) -> Iterator[_Told]:
    if "k8s_pod" in task.template:
        yield _pod_template("pod_template")
    name = task.metadata.get("pod_template_name")
    if name:
        yield _pod_template(f"pod_template_name={name!r}")


def _pod_template(value: str) -> _Told:
    return _Told(
        value,
        "a job is one container, and no pod: sidecars, volumes, tolerations and what else a pod has do not exist",
        _AS_A_POD,
    )


def _hardware(task: Task) -> Iterator[_Told]:
    yield from _devices(task.resources, task.template, "Resources")


def _devices(asked: Mapping[str, str], message: Mapping[str, Any], how: str) -> Iterator[_Told]:
    """GPUs, disks and shared memory, which flyteidl keeps beside the CPUs of a task and of an override."""
    extended = message.get("extended_resources", {})
    gpu = asked.get("GPU")
    accelerator = extended.get("gpu_accelerator", {}).get("device")
    if gpu is not None or accelerator is not None:
        values = [f"{how}(gpu={gpu!r})"] if gpu is not None else []
        values += [f"accelerator {accelerator}"] if accelerator is not None else []
        yield _Told(
            " and ".join(values),
            "of a task's resources the plugin passes on vCPUs and memory only, so the job would find no GPU",
            f"{_BY_CONNECTOR}; or {_AS_A_POD}",
        )
    storage = asked.get("EPHEMERAL_STORAGE")
    if storage is not None:
        yield _Told(
            f"{how}(ephemeral_storage={storage!r})",
            "of a task's resources the plugin passes on vCPUs and memory only; jobs share the disk of their instance",
            f"leave it out if that disk will do, or {_AS_A_POD}",
        )
    if "shared_memory" in extended:
        yield _Told(
            "shared_memory",
            "the plugin sets no Linux parameters of a job: /dev/shm is 64 MiB, Docker's default",
            f"leave it out if that will do, or {_AS_A_POD}",
        )


def _dynamic(task: Task) -> Iterator[_Told]:
    if task.dynamic:
        yield _Told(
            "@dynamic(task_config=AWSBatchConfig(...))",
            "a job writes below {{.outputPrefix}}/0, and propeller looks for the workflow that a dynamic one made in "
            "{{.outputPrefix}}",
            "leave AWSBatchConfig out of @dynamic",
        )


def _mapped(name: str, where: str, *, as_jobs: bool) -> _Told:
    if as_jobs:
        reason = (
            "map_task makes a node of Flyte of each element, not an array job, and reads outputs where a job of its "
            "own writes none"
        )
    else:
        reason = "its task type, container_array, runs as pods here: AWS Batch would never see it"
    return _Told(f"map_task({name.rpartition('.')[2]}){where}", reason, _ONE_JOB_A_TASK)


def _called_at_run_time(task: Task) -> _Told:
    return _Told(
        f"@dynamic that calls {', '.join(task.calls)}",
        "flyteadmin writes the name of the queue into the tasks that a workflow has when it starts; one that is added "
        "at run time has none, and fails with 'config[dynamic_queue] is missing'",
        f"call it from a @workflow, or let the dynamic workflow call a launch plan of one; or {_BY_CONNECTOR}",
    )


_RULES: Sequence[Callable[[Task], Iterator[_Told]]] = (
    *(_fargate, _hardware, _secrets, _pod, _cache, _retries, _timeout, _priority, _dynamic),
)

_INTERRUPTIBLE = _Told(
    "interruptible=True",
    "that is for pods: whether a job runs on spot instances is decided by its queue",
    "leave it out; how to choose a queue is in workflows/README.md",
)


def _unheard(task: Task) -> Iterator[_Told]:
    """What a task says and the plugin hears otherwise, or not at all, without harm."""
    if task.metadata.get("interruptible", False):
        yield _INTERRUPTIBLE
    cpu = task.resources.get("CPU")
    if cpu is not None and quantity(cpu) != task.ask.vcpus:
        yield _Told(
            f"cpu={cpu!r}",
            f"the plugin counts whole vCPUs: the job gets, and costs, {task.ask.vcpus}",
            f"write cpu={str(task.ask.vcpus)!r}, or {_AS_A_POD}",
        )
    missing = [name.lower() for name in ("CPU", "MEMORY") if name not in task.resources]
    if missing and "k8s_pod" not in task.template:
        yield _Told(
            f"no {' and no '.join(missing)}",
            "the platform's default decides, which is meant for small pods",
            "say it: limits=Resources(cpu=..., mem=...)",
        )
    if task.custom.get("parameters"):
        yield _Told(
            f"parameters={task.custom['parameters']!r}",
            "they fill placeholders in a job definition's command, and the plugin's job definitions have none",
            "leave them out; a task has inputs",
        )
