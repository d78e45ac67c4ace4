"""How a job that has ended failed, and which of its failures are worth another try."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.failures import cause, lost_to_reclaim
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.listing import failed_children
from flytekit_aws_batch.core.plan import Wave
from flytekit_aws_batch.core.poller import JobPoller
from flytekit_aws_batch.core.reasons import Reasons
from flytekit_aws_batch.core.waves import Fault


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

    async def faults(self, output_prefix: str, wave: Wave, job: JobState) -> dict[int, Fault] | None:
        """What failed of a wave.

        Args:
            output_prefix: Where the run's outputs go.
            wave: The wave.
            job: Its job, which has ended.

        Returns:
            By element, of what is no list by 0. None: Batch does not list all of it yet.

        Raises:
            CallError: Batch or S3 did not answer.
        """
        if job.status == "SUCCEEDED":
            return {}
        failed = await self._failed(wave, job)
        if failed is None:
            return None
        own = sorted(index for index, each in failed.items() if not lost_to_reclaim(each))
        final: Mapping[int, str] = {}
        if own and self._failures is not None:
            final = await self._failures.final(output_prefix, own if wave.indices else None)
        told = next((index for index in own if index not in final), None)
        found: dict[int, Fault] = {}
        for index, each in failed.items():
            reclaimed = index not in own
            # The log of one of them is enough to see what is wrong with a list.
            reason = await self._whole(each) if index == told else cause(each)
            if index in final:
                reason = f"{final[index]}\n{reason}"
            found[index] = Fault(reason=reason, reclaimed=reclaimed, final=index in final)
        return found

    async def _failed(self, wave: Wave, job: JobState) -> Mapping[int, JobState] | None:
        if not job.size:
            return {wave.indices[0] if wave.indices else 0: job}
        if not any(job.summary.values()):
            # It came to its end before it had children.
            return dict.fromkeys(wave.indices, job)
        children = await failed_children(self._aws, job)
        if len(children) < max(1, job.summary.get("FAILED", 0)):
            return None
        return {wave.indices[index]: child for index, child in children.items()}

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
