"""What is to be run, decided once and written to S3 before anything is submitted: who takes over finds it there."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field

from flytekit_aws_batch.core.ranges import from_ranges
from flytekit_aws_batch.core.spec import ArraySpec, JobSpec, Kept, Part, Resources

_MOST_OF_A_PART = 36


def _elements(text: str) -> str:
    from_ranges(text)
    return text


# The code of jobs may have written what a wave has, and one connector reads it for all projects: ranges are of no more
# elements than a list has, and what is no ID would make AWS refuse a question after the jobs of others, too.
_Ranges = Annotated[str, AfterValidator(_elements)]
_JobId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,64}$")]


def _known_of(part: type[Part]) -> BeforeValidator:
    """Leaves out of a part what is unknown. Where an author says it, the part itself refuses that."""

    def known(value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {name: each for name, each in value.items() if name in part.model_fields}

    return BeforeValidator(known)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """One attempt of a task, as the orchestrator asks for it.

    Attributes:
        project: Whose it is.
        domain: In which domain.
        execution: The execution's name.
        node: The node's ID in the execution.
        task: The task's name, for people.
        attempt: The attempt's number, from 0.
        image: The container's image.
        command: The container's command.
        environment: Its environment variables.
        resources: What it gets.
        spec: What the task says beside.
        retries: How often the author lets a failure of the code be tried again.
        timeout_seconds: The longest that an attempt in Batch may take. None: no limit of the task's own.
        interruptible: Whether it may run where it is taken back. None: nobody said.
        job_role: The ARN of the role that the code has. None: that of the settings, or none.
        output_prefix: Where its outputs go: an ``s3://`` URL without a slash at the end.
        array: The list that it is one of. None: it is one job.
        local: Whether it is run from somebody's own machine rather than by a cluster.
        problems: Why it is refused in any case, in the words of who asks. What has begun goes on all the same.
    """

    project: str
    domain: str
    execution: str
    node: str
    task: str
    attempt: int
    image: str
    command: tuple[str, ...]
    environment: dict[str, str]
    resources: Resources
    spec: JobSpec
    retries: int
    timeout_seconds: int | None
    interruptible: bool | None
    job_role: str | None
    output_prefix: str
    array: ArraySpec | None = None
    local: bool = False
    problems: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What tells this node's jobs from all others, whatever the attempt.

        The node's folder is part of it: its parent is the same for every attempt of a node, and another for each
        element of a list that Flyte itself maps over.
        """
        folder = self.output_prefix.rstrip("/").rpartition("/")[0]
        text = f"{self.project}/{self.domain}/{self.execution}/{self.node}/{folder}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """What the names of the attempts' jobs begin with, such as ``f3a9…-n1-0c5e8a3b7d21``: at most 86 characters."""
        parts = (_plain(part)[:_MOST_OF_A_PART] for part in (self.execution, self.node))
        return "-".join((*parts, self.key))


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", text).strip("-") or "x"


class Plan(Kept):
    """What one attempt of a task runs, in the words of AWS Batch.

    Attributes:
        name: What the names of all attempts' jobs begin with (:attr:`JobRequest.name`).
        attempt: The attempt's number.
        project: Whose it is.
        domain: In which domain.
        definition: The ARN of the job definition's revision. Empty: it is still to be found or registered.
        registration: The request of RegisterJobDefinition, by which its revision is found, or registered anew where
            somebody deregistered it. None: ``definition`` is all that is known.
        queue: The ARN of the queue.
        last_queue: The ARN of the queue of on-demand instances, for what spot instances did not finish, and for the
            last try of a list's elements. None: the same.
        share: The share identifier. None: the queue has no fair share.
        last_share: The same of ``last_queue``.
        priority: The scheduling priority within the share.
        command: The container's command.
        environment: Its environment variables.
        attempts: Batch's own attempts in ``queue``: one, and one for each reclaim that is borne.
        evaluate_on_exit: When Batch tries again, as SubmitJob takes it.
        timeout_seconds: Of each of Batch's attempts.
        retries: How often the elements of a list that failed are run again.
        array: The list. None: one job.
        nodes: Instances of a multi-node parallel job, 1 for an ordinary job.
        tags: The job's tags.
        log_group: The CloudWatch log group of its containers.
        output_prefix: Where its outputs go.
        resources: What a container gets.
        notes: What differs from what was asked for, for people, such as a timeout that was raised. Each a clause.
    """

    name: str
    attempt: int
    project: str
    domain: str
    definition: str
    registration: dict[str, Any] | None = None
    queue: str
    last_queue: str | None = None
    share: str | None = None
    last_share: str | None = None
    priority: int = 0
    command: tuple[str, ...]
    environment: dict[str, str]
    attempts: int
    evaluate_on_exit: tuple[dict[str, str], ...] = ()
    timeout_seconds: int | None = None
    retries: int = 0
    array: Annotated[ArraySpec | None, _known_of(ArraySpec)] = None
    nodes: int = 1
    tags: dict[str, str]
    log_group: str
    output_prefix: str
    resources: Annotated[Resources, _known_of(Resources)]
    notes: tuple[str, ...] = ()

    def job_name(self, wave: int) -> str:
        """The name of a wave's job: ``<name>-<attempt>-<wave>``, at most 128 characters, as Batch takes."""
        return job_name(self.name, self.attempt, wave)

    @property
    def folder(self) -> str:
        """Where the connector keeps what it has to know again."""
        return folder_of(self.output_prefix)


def job_name(name: str, attempt: int, wave: int) -> str:
    """The name of the job of an attempt's wave: a job of another name is none of it, whatever S3 says."""
    return f"{name}-{attempt}-{wave}"


def folder_of(output_prefix: str) -> str:
    """Where the connector keeps what it has to know again of a run: ``<output prefix>/aws-batch``."""
    return f"{output_prefix}/aws-batch"


def wave_name(number: int) -> str:
    """The name of a wave's object in that folder, which the jobs read, too."""
    return f"wave-{number}.json"


class Wave(Kept):
    """One submission of a plan: all of it, a part of a list, or what is left of it.

    Attributes:
        number: From 0.
        indices: The elements of the list that it runs, in order of the job's own indices. Empty for what is no list.
        last: Whether it is sent to :attr:`Plan.last_queue`.
        because: Why there is a further wave, for people, such as ``its spot instance was taken back 5 times``.
        tries: How often each element that is not done failed before by fault of its own, where that is more than never.
        done: The elements that succeeded before, in ranges such as ``0-411,413``.
        failed: The elements that failed for good before, in the same way.
        reclaimed: The elements that lost their spot instances before and are to go to :attr:`Plan.last_queue`.
        reasons: Why the first elements failed for good.
        earlier: The IDs of the jobs of the waves before, of which the last 100.
        claim: Another one each time that it is written, so that S3 tells one writer's content from another's.
        job: The job's ID. Empty: as far as is known here it is not submitted.
    """

    number: int
    indices: tuple[int, ...] = ()
    last: bool = False
    because: str = ""
    tries: dict[int, int] = Field(default_factory=dict)
    done: _Ranges = ""
    failed: _Ranges = ""
    reclaimed: _Ranges = ""
    reasons: dict[int, str] = Field(default_factory=dict)
    earlier: tuple[str, ...] = ()
    claim: str = ""
    job: _JobId = ""

    @property
    def runs(self) -> int:
        """How many jobs it comes to."""
        return len(self.indices) or 1


class Handle(Kept):
    """What finds a run again: the orchestrator keeps it, and gives it back with each question.

    Attributes:
        output_prefix: Where the plan is (:attr:`Plan.folder`).
        name: :attr:`Plan.name`.
        attempt: :attr:`Plan.attempt`.
        deliver_to: Where the outputs have to be in the end, when the run is an earlier attempt's that was still alive.
            None: where they are.
        refused: Why nothing was submitted and never will be. None: it was not refused.
        plan: The plan itself, where S3 did not take it in time, or has another one.
        digest: Of the plan that S3 has. Empty: unknown, as handles had none before.
    """

    output_prefix: str
    name: str
    attempt: int
    deliver_to: str | None = None
    refused: str | None = None
    plan: Plan | None = None
    digest: str = ""

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The handle of a plan's run, as far as names go."""
        return cls(output_prefix=plan.output_prefix, name=plan.name, attempt=plan.attempt)

    def fits(self, plan: Plan) -> bool:
        """Whether a plan says that it is this run's."""
        return self.of(plan) == Handle(output_prefix=self.output_prefix, name=self.name, attempt=self.attempt)
