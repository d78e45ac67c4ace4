"""Which queue a task waits in, and which one it goes to when spot instances did not finish it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.settings import Queue, Settings
from flytekit_aws_batch.core.spec import KINDS, Architecture, Kind

_CAPACITY = {
    "spot": "spot instances",
    "on-demand": "on-demand instances",
    "arm": "arm64 instances",
    "gpu": "instances with GPUs",
    "fargate": "Fargate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The queues of a task.

    Attributes:
        arn: The queue's ARN, or its name where nothing else is known of it.
        queue: What the settings know of it. None: nothing.
        last: The queue without spot instances that takes over. None: the same.
    """

    arn: str
    queue: Queue | None = None
    last: Queue | None = None

    @property
    def queues(self) -> Sequence[Queue]:
        """All that are known."""
        return [queue for queue in (self.queue, self.last) if queue is not None]

    def on_fargate(self, request: JobRequest) -> bool:
        """Whether the task runs on Fargate. Of a queue that nothing is known of, what the task asks for says it."""
        if self.queue is not None:
            return self.queue.kind == "fargate"
        return request.spec.platform_version is not None or request.spec.ephemeral_gib is not None


def choose(request: JobRequest, settings: Settings) -> Choice:
    """The queues of a task.

    Raises:
        RefusedError: There is none for it.
    """
    wanted = request.spec.queue
    if wanted is None or wanted in KINDS:
        queue = _of_kind(request, settings)
        return Choice(arn=queue.arn, queue=queue, last=_last(queue, request, settings))
    if not settings.queues:
        return Choice(arn=wanted)
    queues = _queues(request, settings)
    for queue in queues:
        if wanted in (queue.arn, queue.name):
            return Choice(arn=queue.arn, queue=queue, last=_last(queue, request, settings))
    names = ", ".join(f"{queue.name} ({queue.kind})" for queue in queues)
    raise RefusedError(f"queue={wanted!r}: tasks in {request.domain} may use {names}; give one of them, or its kind")


def _queues(request: JobRequest, settings: Settings) -> Sequence[Queue]:
    if queues := settings.queues_of(request.domain):
        return queues
    if not settings.queues:
        raise RefusedError(
            "queue: the connector's settings list no queues, so that none can be asked for by kind; give the name "
            "or the ARN of a job queue as queue, or have `queues` written into the settings"
        )
    raise RefusedError(
        f"domain {request.domain!r}: the connector's settings have queues for {', '.join(sorted(settings.queues))} "
        "only; run the task in one of those, or have queues of this domain written into the settings"
    )


def _of_kind(request: JobRequest, settings: Settings) -> Queue:
    """The queue of the kind that the task names, or of the first of those kinds that would do."""
    queues = _queues(request, settings)
    kinds = kinds_for(request)
    # Where nobody may take back the host, a queue without spot comes first, and else one with it.
    spot = request.interruptible is not False and request.spec.nodes == 1
    fitting = [queue for queue in queues if queue.kind in kinds and _architecture_fits(queue, request)]
    # One may be smaller than another: a job is better taken back than refused. Those of several nodes take no spot.
    large = [queue for queue in fitting if request.spec.nodes == 1 and not any(_size_problems(queue, request))]
    if fitting:
        return min(large or fitting, key=lambda queue: (queue.has_spot is not spot, kinds.index(queue.kind)))
    there = sorted({queue.kind for queue in queues}, key=KINDS.index)
    if any(queue.kind in kinds for queue in queues):
        raise RefusedError(
            f"architecture={request.spec.architecture!r}: no queue of kind {kinds[0]} in {request.domain} has such "
            "instances; build the image for the other architecture, or name another queue"
        )
    raise RefusedError(
        f"queue of kind {kinds[0]!r}{_why(request)}: {request.domain} has none; it has {', '.join(there)}; "
        f"{_instead(request, queues, kinds[0])}, or {to_be_made(kinds[0])}"
    )


def to_be_made(kind: Kind) -> str:
    """The words of the remedy where a domain has no queue of a kind. Who knows what makes one may say that instead."""
    return f"have a queue on {_CAPACITY[kind]} made"


def kinds_for(request: JobRequest) -> Sequence[Kind]:
    """Which kinds of queue the task may wait in, the best first."""
    spec = request.spec
    for kind in KINDS:
        if spec.queue == kind:
            return [kind]
    if request.resources.gpus > 0:
        return ["gpu"]
    if spec.architecture == "arm64":
        return ["arm"]
    if spec.nodes > 1:
        return ["on-demand"]
    # Flyte says False of every task that does not say that it may be interrupted, and of the last attempt of one that
    # does: neither is worth refusing where the domain has one kind only.
    return ["on-demand", "spot"] if request.interruptible is False else ["spot", "on-demand"]


def _why(request: JobRequest) -> str:
    if request.spec.queue is not None:
        return ""
    if request.resources.gpus > 0:
        return f", as gpus={request.resources.gpus}"
    if request.spec.architecture == "arm64":
        return ", as architecture='arm64'"
    return f", as nodes={request.spec.nodes}" if request.spec.nodes > 1 else ""


def _instead(request: JobRequest, queues: Sequence[Queue], kind: Kind) -> str:
    """What a task may say where its kind of queue is not there, so that it is not refused again for what it needs."""
    leave = ""
    if request.resources.gpus > 0:
        if having := [queue.name for queue in queues if queue.most_gpus]:
            return f"name {', '.join(having)}"
        leave = "leave gpu out" if kind == "gpu" else ""
    elif request.spec.architecture == "arm64":
        leave = "build the image for x86_64 and leave architecture out"
    elif request.spec.nodes > 1:
        leave = "leave nodes out"
    named = "name one of them" if request.spec.queue is not None or not leave else ""
    return " and ".join(filter(None, (leave, named)))


def _last(queue: Queue, request: JobRequest, settings: Settings) -> Queue | None:
    """The queue without spot that stands in for one with it."""
    if not queue.has_spot:
        return None
    kind = "on-demand" if queue.kind == "spot" else queue.kind
    for other in settings.queues_of(request.domain):
        fits = other.kind == kind and not other.has_spot and _architecture_fits(other, request)
        if fits and not any(_size_problems(other, request)):
            return other
    return None


def _architecture(queue: Queue) -> Architecture:
    return "arm64" if queue.kind == "arm" else queue.architecture


def _architecture_fits(queue: Queue, request: JobRequest) -> bool:
    return queue.kind == "fargate" or _architecture(queue) == request.spec.architecture


def problems(choice: Choice, request: JobRequest, settings: Settings) -> Iterator[str]:
    """What is wrong with a task in the queues that were found for it."""
    queue, spec = choice.queue, request.spec
    if queue is None:
        return
    if not _architecture_fits(queue, request):
        yield (
            f"architecture={spec.architecture!r}: the instances of {queue.name} are {_architecture(queue)}; give "
            f"architecture={_architecture(queue)!r} if the image is built for it, or name another queue"
        )
    others = settings.queues_of(request.domain)
    if request.resources.gpus > 0 and queue.kind not in ("gpu", "fargate") and not queue.most_gpus:
        remedy = "use queue='gpu'" if any(other.kind == "gpu" for other in others) else "leave gpu out"
        yield f"gpus={request.resources.gpus}: {queue.name} ({queue.kind}) has no GPUs; {remedy}"
    if spec.nodes > 1 and queue.kind != "fargate" and queue.has_spot:
        # https://docs.aws.amazon.com/batch/latest/userguide/mnp-ce.html
        yield (
            f"nodes={spec.nodes}: Batch runs multi-node jobs on no spot instances, which {queue.name} has; name a "
            "queue of on-demand instances"
        )
    if spec.share is not None and not queue.fair_share:
        yield f"share={spec.share!r}: {queue.name} has no fair share; leave it out"
    if spec.priority and not queue.fair_share:
        yield f"priority={spec.priority}: {queue.name} has no fair share, and takes jobs as they come; leave it out"
    larger = ", ".join(other.name for other in others if _is_larger(other, queue, request))
    yield from _size_problems(queue, request, f"ask for less{larger and f', or name {larger}'}")


def _is_larger(other: Queue, queue: Queue, request: JobRequest) -> bool:
    """Whether a queue would take what is too large for another."""
    alike = (other.kind == "fargate") is (queue.kind == "fargate") and _architecture_fits(other, request)
    # Instances with GPUs are for who asks for some.
    gpus = other.kind == "gpu" or bool(other.most_gpus)
    return (
        alike
        and gpus is (request.resources.gpus > 0)
        and not (request.spec.nodes > 1 and other.has_spot)
        and None not in (other.most_vcpus, other.most_memory_mib)
        and not any(_size_problems(other, request))
    )


def _size_problems(queue: Queue, request: JobRequest, remedy: str = "") -> Iterator[str]:
    """What is wrong with a size that nothing behind a queue has."""
    sizes = request.resources
    if queue.most_vcpus is not None and sizes.vcpus > queue.most_vcpus:
        yield f"vcpus={sizes.vcpus:g}: {queue.name} has {queue.most_vcpus} at most for one container; {remedy}"
    if queue.most_memory_mib is not None and sizes.memory_mib > queue.most_memory_mib:
        yield (
            f"memory_mib={sizes.memory_mib}: {queue.name} has {queue.most_memory_mib} MiB at most for one container; "
            f"{remedy}"
        )
    if queue.most_gpus and sizes.gpus > queue.most_gpus:
        yield f"gpus={sizes.gpus}: {queue.name} has {queue.most_gpus} at most for one container; {remedy}"
    if queue.kind == "gpu" and queue.most_gpus == 0 and sizes.gpus > 0:
        yield f"gpus={sizes.gpus}: the settings say that {queue.name} has none; name a queue with GPUs"


def share(queue: Queue | None, request: JobRequest, settings: Settings) -> str | None:
    """The share identifier of a task's jobs in a queue. None: the queue has no fair share."""
    if queue is None:
        return request.spec.share
    if not queue.fair_share:
        return None
    if request.spec.share is not None:
        return request.spec.share
    made = "".join(letter for letter in request.project if letter.isascii() and letter.isalnum())
    return settings.shares.get(request.project) or made or None
