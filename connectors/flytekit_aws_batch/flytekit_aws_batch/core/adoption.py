"""Finding the run of an earlier attempt that is still alive, so that it is not run a second time.

Flyte begins another attempt when it lost the answer to a create; the job of the one before may run all the same.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.folder import Folder
from flytekit_aws_batch.core.listing import named
from flytekit_aws_batch.core.plan import Handle, Plan
from flytekit_aws_batch.core.poller import JobPoller
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.storage import Storage


class Adoption:
    """Looks for the earlier attempts of a run.

    Args:
        aws: The way to AWS.
        storage: S3.
        poller: What knows jobs.
    """

    def __init__(self, aws: Aws, storage: Storage, poller: JobPoller) -> None:
        self._aws = aws
        self._storage = storage
        self._poller = poller

    async def alive(self, plan: Plan, poll: Callable[[Handle], Awaitable[Progress]]) -> Handle | None:
        """The last of the earlier attempts, if it has neither failed nor been stopped.

        Args:
            plan: What a later attempt is to run.
            poll: How a run stands.

        Raises:
            CallError: AWS did not answer.
        """
        async for earlier in self._earlier(plan):
            progress = await poll(earlier)
            failed = progress.phase in (Phase.FAILED, Phase.FAILED_RETRYABLE)
            return None if failed else earlier
        return None

    async def _earlier(self, plan: Plan) -> AsyncIterator[Handle]:
        """The attempts before, the last one first."""
        parent, _, folder = plan.output_prefix.rpartition("/")
        if folder == str(plan.attempt):
            # Flyte's folders are named after the attempts, and S3 is never behind.
            for attempt in reversed(range(plan.attempt)):
                found = await Folder(self._storage, f"{parent}/{attempt}").plan()
                if found is not None and found.name == plan.name and found.attempt == attempt:
                    yield Handle.of(found)
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
