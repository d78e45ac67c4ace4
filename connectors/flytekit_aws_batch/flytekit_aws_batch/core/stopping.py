"""Ending a run's jobs for good, also one whose submission nobody is sure of."""

from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.flights import landed
from flytekit_aws_batch.core.folder import Folder
from flytekit_aws_batch.core.listing import find
from flytekit_aws_batch.core.plan import Plan
from flytekit_aws_batch.core.poller import JobPoller
from flytekit_aws_batch.core.storage import Storage
from flytekit_aws_batch.core.submitter import Submission

_MOST_OF_A_REASON = 1024
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0


class NotStoppedError(Exception):
    """It is not sure yet that a run has no job any more: ask again."""


class Stopping:
    """Ends jobs.

    Args:
        aws: The way to AWS.
        storage: S3.
        poller: What knows jobs.
    """

    def __init__(self, aws: Aws, storage: Storage, poller: JobPoller) -> None:
        self._aws = aws
        self._poller = poller
        self._storage = storage
        self._lease_seconds = aws.settings.lease_seconds

    async def terminate(self, job_id: str, reason: str, *, name: str | None = None) -> None:
        """End a job: of an array or a multi-node parallel job, all of it. One that has ended, or is not there, is done.

        Args:
            job_id: Its ID.
            reason: Why.
            name: The name that it has to have, where its ID was read in S3: another's is left alone. None: whose it is
                Batch itself has said. Default: None.

        Raises:
            NotStoppedError: Batch does not say now what its name is.
            CallError: Batch does not take it now, or the connector's role may not.
        """
        answer = await self._poller.get(job_id) if name is not None else None
        # Nobody asks after it any more: it is not to be counted among the living.
        self._poller.forget(job_id)
        if answer is not None and answer.job is None and answer.error is not None:
            raise NotStoppedError(f"whether {job_id} is {name}, AWS Batch does not say now: {answer.error}")
        if answer is not None and answer.job is not None and answer.job.name != name:
            return
        try:
            await self._aws.call("batch", "terminate_job", jobId=job_id, reason=reason[:_MOST_OF_A_REASON])
        except CallError as error:
            if error.kind not in ("not_found", "refused"):
                raise

    async def end(self, plan: Plan, own: Submission | None, reason: str, until: float, *, besides: str = "") -> None:
        """End the job of a run's last wave, wherever it was submitted from.

        Its ``stopped`` object is there already. Who claims a wave afterwards finds it, and submits nothing; who claimed
        one before may be about to submit, for as long as a lease.

        Args:
            plan: What the run runs.
            own: What is known here of its submission, if nobody goes on with it meanwhile.
            reason: Why.
            until: When to give up.
            besides: The ID of the job that was ended already. Default: none was.

        Raises:
            NotStoppedError: Somebody may still be submitting it.
            CallError: AWS did not answer in time, or refused.
        """
        folder = Folder(self._storage, plan.output_prefix)
        pause = _FIRST_PAUSE_SECONDS
        if own is not None and await self._ended(plan, own, reason, until):
            return
        while True:
            number = (await folder.contents()).waves
            there = await folder.wave(number) if number >= 0 else None
            if there is None:
                return
            wave, stored = there
            if wave.job:
                if wave.job != besides:
                    await self.terminate(wave.job, reason, name=plan.job_name(number))
                return
            job = await find(self._aws, plan, wave)
            if job is not None:
                await self.terminate(job, reason)
                return
            ours = own is not None and own.etag == stored.etag and own.flight is None and own.doubt_since is None
            if ours or stored.age_seconds > self._lease_seconds:
                return
            if self._aws.clock.now() + pause > until:
                raise NotStoppedError(
                    f"{plan.job_name(number)} was perhaps submitted a moment ago, and Batch does not list it yet: "
                    "it is looked for when it is stopped once more"
                )
            await self._aws.clock.pause(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)

    async def _ended(self, plan: Plan, own: Submission, reason: str, until: float) -> bool:
        """End the job that a submission has, or is about to have, and say whether that is known here."""
        if own.wave.job:
            name = None if own.ours else plan.job_name(own.wave.number)
            await self.terminate(own.wave.job, reason, name=name)
            return True
        if own.flight is None or not await landed(own.flight, until - self._aws.clock.now()):
            return False
        if own.flight.exception() is not None:
            return False
        await self.terminate(own.flight.result()["jobId"], reason)
        return True
