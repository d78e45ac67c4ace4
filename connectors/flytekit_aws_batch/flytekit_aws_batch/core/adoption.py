"""Finding the run of an earlier attempt that is still alive, so that it is not run a second time.

Flyte begins another attempt when it lost the answer to a create; the job of the one before may run all the same.
"""

from collections.abc import AsyncIterator

from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.folder import Folder
from flytekit_aws_batch.core.listing import named
from flytekit_aws_batch.core.plan import Handle, Plan
from flytekit_aws_batch.core.poller import JobPoller
from flytekit_aws_batch.core.progress import Phase
from flytekit_aws_batch.core.storage import Storage


class Adoption:
    """Looks for the earlier attempts of a run.

    It costs three calls of S3 however many attempts there were, and asks after no job: many attempts follow each other
    when AWS or the connector is slow, and that is no time for more work with each of them.

    Args:
        aws: The way to AWS.
        storage: S3.
        poller: What knows jobs.
    """

    def __init__(self, aws: Aws, storage: Storage, poller: JobPoller) -> None:
        self._aws = aws
        self._storage = storage
        self._poller = poller

    async def alive(self, plan: Plan) -> Handle | None:
        """The last of the earlier attempts, or the one that it stands for, if it has neither failed nor been stopped.

        It may have failed without that being known yet: whoever asks after it will see, and that it has is then said of
        this attempt.

        Args:
            plan: What a later attempt is to run.

        Raises:
            CallError: AWS did not answer.
        """
        async for earlier in self._earlier(plan):
            return await self._if_alive(earlier)
        return None

    async def _if_alive(self, run: Handle) -> Handle | None:
        folder = Folder(self._storage, run.output_prefix)
        contents = await folder.contents()
        adopted = await folder.adopted(run) if contents.adopts else None
        if adopted is not None:
            return await self._if_alive(adopted)
        result = await folder.result() if contents.ended else None
        failed = result is not None and result.phase in (Phase.FAILED, Phase.FAILED_RETRYABLE)
        return None if failed or contents.stopped else run

    async def _earlier(self, plan: Plan) -> AsyncIterator[Handle]:
        """The attempts before that have a plan, the last one first."""
        parent, _, last = plan.output_prefix.rpartition("/")
        if last == str(plan.attempt):
            # Flyte's folders are named after the attempts, and S3 is never behind.
            for attempt in reversed(range(plan.attempt)):
                folder = Folder(self._storage, f"{parent}/{attempt}")
                contents = await folder.contents()
                if contents.planned:
                    yield Handle(output_prefix=f"{parent}/{attempt}", name=plan.name, attempt=attempt)
                elif not contents.stopped:
                    # Whoever is still about to begin it finds that, and submits nothing.
                    await folder.stop("a later attempt has begun")
            return
        attempts: dict[int, str] = {}
        for queue in {plan.queue, plan.last_queue or plan.queue}:
            for job in await named(self._aws, queue, f"{plan.name}-*"):
                text = job.name.removeprefix(f"{plan.name}-").partition("-")[0]
                if text.isdecimal() and int(text) < plan.attempt:
                    attempts[int(text)] = job.id
        for attempt, job_id in sorted(attempts.items(), reverse=True):
            earlier = (await self._poller.get(job_id)).job
            if earlier is not None and earlier.prefix is not None:
                yield Handle(output_prefix=earlier.prefix, name=plan.name, attempt=attempt)
