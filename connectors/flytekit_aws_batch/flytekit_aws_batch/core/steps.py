"""How a run goes on: what is read when nothing is known of it, submitted when it has no job, decided when its job ends.

Whoever calls holds the run.
"""

from botocore.exceptions import ParamValidationError

from flytekit_aws_batch.core import waves
from flytekit_aws_batch.core.adoption import Adoption
from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.ending import Endings
from flytekit_aws_batch.core.folder import PLAN_FILE, Folder
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.plan import Handle, Plan, Wave, folder_of, wave_name
from flytekit_aws_batch.core.progress import Progress
from flytekit_aws_batch.core.runs import Run
from flytekit_aws_batch.core.storage import Storage
from flytekit_aws_batch.core.submitter import Submission, Submitter
from flytekit_aws_batch.core.telling import Telling
from flytekit_aws_batch.core.trust import NOT_BELIEVED, Trust


class Steps:
    """Takes runs forward.

    All methods raise :class:`~flytekit_aws_batch.core.aws.CallError` when AWS does not answer in time; they may be
    called again.

    Args:
        aws: The way to AWS.
        storage: S3.
        submitter: What submits.
        endings: What looks at failures.
        adoption: What finds earlier attempts.
        telling: What puts it into words.
        trust: What reads plans.
    """

    def __init__(
        self,
        aws: Aws,
        storage: Storage,
        *,
        submitter: Submitter,
        endings: Endings,
        adoption: Adoption,
        telling: Telling,
        trust: Trust,
    ) -> None:
        self._metrics = aws.metrics
        self._clock = aws.clock
        self._storage = storage
        self._submitter = submitter
        self._endings = endings
        self._adoption = adoption
        self._telling = telling
        self._trust = trust

    async def submit(self, run: Run, handle: Handle, until: float) -> None:
        """Give a run a job, or find the one that it has, or learn that it has ended."""
        if not run.known:
            await self._load(run, handle)
        plan, submission = run.plan, run.submission
        if plan is None or submission is None:
            return
        try:
            await self._submitter.advance(plan, submission, until)
        except (CallError, ParamValidationError) as error:
            # What somebody else may have submitted has not failed because this one may not look.
            if submission.etag is None or submission.doubt_since is not None:
                raise
            message = "\n".join((f"AWS does not take it: {error}", *plan.notes))
            await self._end(run, self._telling.failed(run, message))
            return
        if submission.stopped:
            await self._stopped(run)
        elif submission.wave.job:
            self._count(run, submission)
            run.submitted()

    async def go_on(self, run: Run, handle: Handle, job_id: str, job: JobState | None) -> bool:
        """Decide what follows what became of a run's job: a further submission, or its result.

        Args:
            run: The run.
            handle: What finds it.
            job_id: The job that was asked for.
            job: What Batch says of it: it has ended, or is of another name. None: Batch does not know it any more.

        Returns:
            Whether that is clear already: Batch may not list yet all that failed.
        """
        if run.job != job_id:
            # Whoever held the run before has gone on already.
            return True
        if job is None:
            await self._lose(run)
        elif job.name != run.job_name:
            await self._disown(run, job)
        elif job.ended:
            return await self._after(run, handle, job)
        # Else another thread was about to go on just as the names were compared.
        return True

    async def _after(self, run: Run, handle: Handle, job: JobState) -> bool:
        folder = Folder(self._storage, run.prefix)
        if await folder.is_stopped():
            await self._stopped(run)
            return True
        plan, there = await self._trust.of(handle), await folder.wave(run.wave)
        if plan is None or there is None:
            await self._end(run, self._gone(run, handle))
            return True
        wave = there[0].model_copy(update={"job": job.id})
        faults = await self._endings.faults(run.prefix, wave, job)
        if faults is None:
            return False
        following = waves.after(plan, wave, faults)
        if isinstance(following, Wave):
            run.begin(plan, following)
        else:
            await self._end(run, await self._telling.ended(run, wave, job, following))
        self._endings.forget(job.id)
        return True

    async def _lose(self, run: Run) -> None:
        """Give a run up whose job Batch does not know any more."""
        message = (
            f"AWS Batch knows no job {run.job} any more: it forgets jobs some days after their end, and whether this "
            "one succeeded nobody asked in time"
        )
        await self._end(run, self._telling.failed(run, message, final=bool(run.size)))

    async def _disown(self, run: Run, job: JobState) -> None:
        """Give a run up whose wave in S3 names a job that is none of its own: it has no say over that."""
        message = (
            f"{folder_of(run.prefix)}/{wave_name(run.wave)} names the job {job.id}, which is {job.name} and not "
            f"{run.job_name}; see that nothing but the connector writes there"
        )
        run.job, run.earlier = "", ()
        await self._end(run, self._telling.failed(run, message))

    async def _load(self, run: Run, handle: Handle) -> None:
        """Learn from S3 how far a run is."""
        folder = Folder(self._storage, run.prefix)
        contents = await folder.contents()
        result = await folder.result() if contents.ended else None
        if result is not None:
            run.end(result)
            return
        if contents.stopped:
            await self._stopped(run)
            return
        plan = await self._trust.of(handle, planned=contents.planned)
        if plan is None:
            await self._end(run, self._gone(run, handle))
            return
        earlier = await folder.adopted(handle) if contents.adopts else None
        run.adopts = await self._trust.earlier(plan, earlier) if earlier else None
        if run.adopts is not None:
            return
        there = await folder.wave(contents.waves) if contents.waves >= 0 else None
        if there is not None:
            run.resume(plan, there[0])
        elif not await self._adopted(run, plan):
            run.begin(plan, waves.first(plan))

    async def _adopted(self, run: Run, plan: Plan) -> bool:
        alive = await self._adoption.alive(plan) if plan.attempt else None
        if alive is None:
            return False
        earlier = await self._trust.earlier(plan, alive)
        await Folder(self._storage, run.prefix).adopt(earlier)
        self._metrics.adopted.inc()
        run.adopts = earlier
        return True

    async def _stopped(self, run: Run) -> None:
        reason = await Folder(self._storage, run.prefix).stopped_for()
        run.end(self._telling.failed(run, f"stopped: {reason}"))

    async def _end(self, run: Run, progress: Progress) -> None:
        kept = await Folder(self._storage, run.prefix).end(progress)
        self._metrics.runs.labels(kept.phase.name.lower()).inc()
        run.end(kept)

    def _gone(self, run: Run, handle: Handle) -> Progress:
        if handle.digest == NOT_BELIEVED:
            return self._telling.failed(
                run,
                f"attempt {run.attempt} of this task began, and may run still, but {folder_of(run.prefix)}/{PLAN_FILE} "
                f"is not its plan: it is another task's, or none. End its jobs, whose names begin with {run.name}-"
                f"{run.attempt}-, run the task once more, and see that nothing but the connector writes there",
            )
        return self._telling.failed(
            run,
            f"{folder_of(run.prefix)} is gone, or what it had of this run is not there as it was written: without it "
            "nobody knows what was submitted. Run the task once more, and see that nothing else writes or deletes "
            "objects there while tasks run",
        )

    def _count(self, run: Run, submission: Submission) -> None:
        if submission.wave.number:
            self._metrics.waves.labels(waves.kind(submission.wave)).inc()
        else:
            self._metrics.start_seconds.observe(self._clock.now() - run.began)
