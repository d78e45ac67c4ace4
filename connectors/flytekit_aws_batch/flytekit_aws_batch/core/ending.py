"""How a job that has ended failed, and which of its failures are worth another try."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.background import Kept, Work
from flytekit_aws_batch.core.failures import cause, lost_to_reclaim
from flytekit_aws_batch.core.folder import UnreadableError
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.listing import failed_children, succeeded_children
from flytekit_aws_batch.core.plan import Wave, folder_of, wave_name
from flytekit_aws_batch.core.poller import JobPoller
from flytekit_aws_batch.core.reasons import Reasons
from flytekit_aws_batch.core.waves import Fault

# Batch's lists are some seconds behind. What they lack after so long they will never have.
_UNLISTED_SECONDS = 600.0
# What the code of so many elements says is read within one question; of more, in a thread, while questions wait for a
# moment each: propeller takes an answer that needs half a minute for none, and asks anew.
_WITHIN_A_QUESTION = 32
_AT_A_TIME = 100
_MOMENT_SECONDS = 2.0
# A result has the reasons of a few elements.
_MOST_WHOLE_TEXTS = 20
_SHORT_TEXT = 200


class Failures(Protocol):
    """What the code in the containers wrote of its own failures."""

    async def final(self, output_prefix: str, indices: Sequence[int] | None) -> dict[int, str]:
        """Which failures are not worth another try.

        Args:
            output_prefix: Where the outputs would be.
            indices: The elements of a list that failed. None: it is one job, whose index is 0.

        Returns:
            The reason of each, in the code's own words.
        """


@dataclass(slots=True)
class _Look:
    """What is known by now of a job's failures.

    Attributes:
        since: When they were looked at first.
        failed: What failed, by element. None: Batch does not list all of it yet.
        read: Of how many of them that failed by their own fault it is known what their code says.
        final: What it says, of those that are not worth another try.
        work: What reads on. None: nothing does.
    """

    since: float
    failed: Mapping[int, JobState] | None = None
    read: int = 0
    final: dict[int, str] = field(default_factory=dict)
    work: Work | None = None


class Endings:
    """Looks at what failed.

    Args:
        aws: The way to AWS.
        poller: What knows jobs.
        reasons: What puts failures into words.
        failures: What the code says. None: it says nothing, and everything is worth another try.
    """

    def __init__(self, aws: Aws, poller: JobPoller, reasons: Reasons, failures: Failures | None) -> None:
        self._aws = aws
        self._poller = poller
        self._reasons = reasons
        self._failures = failures
        self._looks: Kept[_Look] = Kept(aws.clock)
        reasons.looking = self._looking

    async def faults(self, output_prefix: str, wave: Wave, job: JobState) -> dict[int, Fault] | None:
        """What failed of a wave.

        Args:
            output_prefix: Where the run's outputs go.
            wave: The wave.
            job: Its job, which has ended.

        Returns:
            By element, of what is no list by 0. None: Batch does not list all of it yet, or it is so much that it is
            still being looked at; what is known by then is kept for the next question.

        Raises:
            CallError: Batch or S3 did not answer.
            UnreadableError: The wave is of other elements than its job was submitted with.
        """
        if job.size and job.size != len(wave.indices):
            raise UnreadableError(f"{folder_of(output_prefix)}/{wave_name(wave.number)}")
        if job.status == "SUCCEEDED":
            return {}
        look = self._looks.of(job.id, lambda: _Look(self._aws.clock.now()))
        if look.failed is None:
            look.failed = await self._failed(wave, job, look)
        failed = look.failed
        if failed is None:
            return None
        own = sorted(index for index, each in failed.items() if not lost_to_reclaim(each))
        if own and self._failures is not None:
            if not wave.indices:
                look.final = await self._failures.final(output_prefix, None)
            elif not await self._read_all(self._failures, output_prefix, own, look):
                return None
        final, mine = look.final, set(own)
        told = next((index for index in own if index not in final), None)
        found: dict[int, Fault] = {}
        for index, each in failed.items():
            reclaimed = index not in mine
            # The log of one of them is enough to see what is wrong with a list.
            reason = await self._whole(each) if index == told else cause(each)
            if index in final:
                reason = f"{final[index]}\n{reason}"
            found[index] = Fault(reason=reason, reclaimed=reclaimed, final=index in final)
        return found

    def __len__(self) -> int:
        """Of how many jobs something is kept."""
        return len(self._looks)

    def forget(self, job_id: str) -> None:
        """Keep nothing of a job's failures any more: of a large list it is megabytes."""
        self._looks.drop(job_id)

    async def _read_all(self, failures: Failures, output_prefix: str, own: Sequence[int], look: _Look) -> bool:
        """Whether it is known of all elements what their code says."""
        work = look.work
        if work is None:
            work = Work(len(own))
            if len(own) <= _WITHIN_A_QUESTION:
                await self._read(failures, output_prefix, own, look, work)
                return True
            look.work = work
            work.begin(lambda: self._read(failures, output_prefix, own, look, work))
        if not await work.wait(_MOMENT_SECONDS):
            return False
        if work.error is not None:
            # The next question reads on where this one ended.
            look.work = None
            raise work.error
        return True

    async def _read(self, failures: Failures, output_prefix: str, own: Sequence[int], look: _Look, work: Work) -> None:
        while look.read < len(own):
            work.done = look.read
            some = own[look.read : look.read + _AT_A_TIME]
            for index, text in (await failures.final(output_prefix, some)).items():
                look.final[index] = text if len(look.final) < _MOST_WHOLE_TEXTS else text[:_SHORT_TEXT]
            look.read += len(some)

    def _looking(self, job: JobState) -> str | None:
        look = self._looks.get(job.id)
        if look is None:
            return None
        if look.failed is None:
            return "AWS Batch does not list yet what failed"
        work = look.work
        return f"looking at {work.done:,} of {work.size:,} failures" if work and not work.finished else None

    async def _failed(self, wave: Wave, job: JobState, look: _Look) -> Mapping[int, JobState] | None:
        if not job.size:
            return {wave.indices[0] if wave.indices else 0: job}
        if not any(job.summary.values()):
            # It came to its end before it had children.
            return dict.fromkeys(wave.indices, job)
        late = self._aws.clock.now() - look.since >= _UNLISTED_SECONDS
        children = await failed_children(self._aws, job)
        failed = job.summary.get("FAILED", 0)
        if len(children) < max(1, failed) and not late:
            return None
        # An array may be said to have ended before all of it has. What the summary says is not asked for again.
        if late or failed + job.summary.get("SUCCEEDED", 0) < job.size:
            unlisted = await self._unlisted(job, children)
            if unlisted and not late:
                return None
            children = {**unlisted, **children}
        return {wave.indices[index]: child for index, child in children.items()}

    async def _unlisted(self, job: JobState, failed: Container[int]) -> Mapping[int, JobState]:
        """All children of an array that neither failed nor, as Batch says, succeeded."""
        succeeded = await succeeded_children(self._aws, job)
        said = "AWS Batch lists it neither among those that succeeded nor among those that failed"
        return {
            index: replace(job, id=f"{job.id}:{index}", status_reason=said, size=0, summary={}, attempts=())
            for index in range(job.size)
            if index not in succeeded and index not in failed
        }

    async def shown(self, job: JobState) -> JobState:
        """The part of a job whose log tells most: a failed child of an array, or the main one of nodes.

        Raises:
            CallError: Batch did not answer.
        """
        if job.nodes > 1:
            return await self._looked_up(job, f"{job.id}#0")
        if not job.size:
            return job
        failed = await failed_children(self._aws, job) if job.summary.get("FAILED") else {}
        return await self._looked_up(job, f"{job.id}:{min(failed, default=0)}")

    async def _whole(self, job: JobState) -> str:
        """Why a job failed, with the end of its log."""
        if job.nodes > 1:
            job = await self.shown(job)
        elif not job.attempts:
            job = await self._looked_up(job, job.id)
        return await self._reasons.failed(job)

    async def _looked_up(self, job: JobState, part: str) -> JobState:
        answer = await self._poller.get(part)
        self._poller.forget(part)
        return answer.job or job
