"""Running what a task asks for as jobs of AWS Batch: start it, ask how it stands, stop it, read its logs."""

import asyncio
from contextlib import suppress
from typing import Any

from flytekit_aws_batch.core import logs, planning
from flytekit_aws_batch.core.adoption import Adoption
from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.checks import Checks
from flytekit_aws_batch.core.definitions import Definitions
from flytekit_aws_batch.core.ending import Endings, Failures
from flytekit_aws_batch.core.events import EventFollower
from flytekit_aws_batch.core.folder import Folder, UnreadableError
from flytekit_aws_batch.core.logs import LogPage
from flytekit_aws_batch.core.plan import Handle, JobRequest, Plan
from flytekit_aws_batch.core.poller import Answer, JobPoller
from flytekit_aws_batch.core.progress import Phase, Progress, RefusedError
from flytekit_aws_batch.core.reasons import Reasons
from flytekit_aws_batch.core.runs import Run, Runs, Turns
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.steps import Steps
from flytekit_aws_batch.core.stopping import NotStoppedError, Stopping
from flytekit_aws_batch.core.storage import Storage
from flytekit_aws_batch.core.submitter import Submitter
from flytekit_aws_batch.core.telling import Telling
from flytekit_aws_batch.core.trust import Trust

__all__ = ["BatchRunner", "Failures", "NotStoppedError"]

# DescribeJobs may be a moment behind SubmitJob, and Batch forgets jobs some days after their end.
_MISSING_SECONDS = 600.0
# S3 and Batch are asked for so many runs at a time, each for a moment: propeller takes an answer that needs half a
# minute for none, and what was half done for hundreds of tasks at once is begun anew with each one's next attempt.
_AT_ONCE = 16
_MOMENT_SECONDS = 3.0
# An answer is there within 25 s where the patience is 15.
_MORE_SECONDS = 10.0
# Whoever holds a run may be what a signal interrupted in order to stop it.
_STOP_WAIT_SECONDS = 2.0


class BatchRunner:
    """Runs tasks on AWS Batch.

    Every method may be called in any event loop and any thread. What a process knows it may lose: it is found again in
    S3 and in Batch by whichever process is asked next.

    Args:
        settings: The account.
        aws: The way to AWS. Default: one of its own.
        failures: What the code in the containers says of its failures. Default: nothing, so that all are worth another
            try.
    """

    def __init__(self, settings: Settings, *, aws: Aws | None = None, failures: Failures | None = None) -> None:
        self._settings = settings
        self._aws = aws or Aws(settings)
        self._clock = self._aws.clock
        self._metrics = self._aws.metrics
        self._storage = Storage(self._aws)
        self._checks = Checks(self._aws, settings)
        self._poller = JobPoller(self._aws, settings)
        self._events = EventFollower(self._aws, settings, self._poller)
        self._stopping = Stopping(self._aws, self._storage, self._poller)
        self._trust = Trust(self._storage, settings)
        reasons = Reasons(self._aws, settings)
        self._endings = Endings(self._aws, self._poller, reasons, failures)
        self._telling = Telling(reasons)
        self._steps = Steps(
            self._aws,
            self._storage,
            submitter=Submitter(self._aws, self._storage, Definitions(self._aws)),
            endings=self._endings,
            adoption=Adoption(self._aws, self._storage, self._poller),
            telling=self._telling,
            trust=self._trust,
        )
        self._runs = Runs(self._clock)
        self._turns = Turns(_AT_ONCE)

    async def start(self, request: JobRequest, patience_seconds: float | None = None) -> Handle:
        """Submit a task, find that it is submitted already, or say why it never will be.

        Args:
            request: The task.
            patience_seconds: About how long it may take; what AWS has not taken by then is submitted as the run is
                asked for. Default: that of the settings.
        """
        patience = self._settings.patience_seconds if patience_seconds is None else patience_seconds
        until = self._clock.now() + patience
        self._events.ensure_running()
        try:
            plan, definition = planning.plan(request, self._settings)
        except RefusedError as error:
            begun = None
            with suppress(CallError, TimeoutError):
                async with asyncio.timeout(patience):
                    begun = await self._trust.begun(request, str(error))
            return begun or self._refused(request, str(error))
        plan = plan.model_copy(update={"registration": definition})
        try:
            async with asyncio.timeout(patience):
                return await self._begin(request, plan, definition, until)
        except TimeoutError:
            return Handle.of(plan).model_copy(update={"plan": plan})

    async def _begin(self, request: JobRequest, plan: Plan, definition: dict[str, Any], until: float) -> Handle:
        problems = await self._checks.problems(request, plan, definition)
        # Too late to refuse what was started before, as when the answer to an earlier start got lost.
        if problems and not await self._begun(plan.output_prefix):
            return self._refused(request, "\n".join(problems))
        handle = Handle.of(plan)
        run = self._runs.of(handle)
        async with self._turns.taken(until - self._clock.now()) as mine:
            if not mine:
                return handle.model_copy(update={"plan": plan})
            try:
                handle = await self._trust.kept(plan)
            except CallError as error:
                if not error.passes:
                    return self._refused(request, f"{plan.folder}: the connector cannot write there: {error}")
                handle = handle.model_copy(update={"plan": plan})
            try:
                async with self._runs.held(run, until) as held:
                    if held and not run.job:
                        await self._steps.submit(run, handle, self._moment(until))
            except CallError as error:
                if not error.passes and run.submission is None:
                    return self._refused(request, f"the connector cannot submit it: {error}")
                # Else it goes on when it is asked for, and is told then.
            except UnreadableError:
                # So is that.
                pass
        if run.adopts is not None:
            return run.adopts.model_copy(update={"deliver_to": plan.output_prefix})
        return handle

    async def poll(self, handle: Handle) -> Progress:
        """How a run stands; it goes on by being asked for. Never raises for anything that AWS does."""
        if handle.refused is not None:
            return Progress(phase=Phase.FAILED, message=handle.refused)
        self._events.ensure_running()
        try:
            async with asyncio.timeout(self._settings.patience_seconds + _MORE_SECONDS):
                return await self._stand(handle)
        except CallError as error:
            waits = "AWS does not answer now" if error.passes else "the connector cannot go on, and tries again"
            what = f"{waits}: {error}"
        except UnreadableError as error:
            return self._telling.failed(self._runs.of(handle), str(error))
        except TimeoutError:
            what = "AWS answers slowly: the connector goes on when it is asked again"
        run = self._runs.of(handle)
        return self._telling.queued(run, what, under_way=bool(run.job))

    async def stop(self, handle: Handle, reason: str) -> None:
        """End a run's jobs, and submit none any more. A run that has ended, or was refused, is done.

        Args:
            handle: The run.
            reason: Why, for whoever looks at its jobs.

        Raises:
            NotStoppedError: A job may be there that Batch does not list yet; to be called again.
            CallError: AWS did not take it in time, or the connector's role may not; to be called again.
            UnreadableError: Something else has written what says which job it has.
        """
        if handle.refused is not None:
            return
        run = self._runs.of(handle)
        async with self._runs.held(run, self._clock.now() + _STOP_WAIT_SECONDS) as held:
            adopts = run.adopts
            if run.result is None and adopts is None:
                adopts = await self._stop(run, handle, reason, held=held)
        if adopts is not None:
            await self.stop(adopts, reason)

    async def logs(self, handle: Handle, token: str = "") -> LogPage:
        """A page of what a run's last job has printed: of a list one of the failed elements, or the first.

        Args:
            handle: The run.
            token: That of the page before. Default: the first page.

        Raises:
            CallError: They cannot be read.
        """
        jobs = (await self.poll(handle)).jobs
        job = (await self._poller.get(jobs[-1])).job if jobs else None
        # What has ended is as S3 says, and a job of another name is another run's.
        ours = job is not None and job.name.startswith(f"{handle.name}-")
        found = logs.stream_of(await self._endings.shown(job)) if job and ours else None
        return await logs.page(self._aws, *found, token) if found else LogPage(token=token)

    @property
    def known(self) -> Runs:
        """The runs that are kept in memory."""
        return self._runs

    def close(self) -> None:
        """Let go of threads and connections. Runs go on."""
        self._events.stop()
        self._aws.close()

    def _moment(self, until: float) -> float:
        """Until when a submission may go on: what waits for longer lets others have their turn."""
        return min(until, self._clock.now() + _MOMENT_SECONDS)

    async def _begun(self, output_prefix: str) -> bool:
        """Whether an earlier start has written a plan, as far as S3 tells."""
        try:
            return (await Folder(self._storage, output_prefix).contents()).planned
        except CallError:
            return False

    def _refused(self, request: JobRequest, why: str) -> Handle:
        self._metrics.refused.inc()
        return Handle(output_prefix=request.output_prefix, name=request.name, attempt=request.attempt, refused=why)

    async def _stand(self, handle: Handle) -> Progress:
        """How a run stands.

        Raises:
            CallError: AWS did not answer.
        """
        until = self._clock.now() + self._settings.patience_seconds
        run = self._runs.of(handle)
        while run.result is None:
            if run.adopts is not None:
                return await self._stand(run.adopts)
            # Both before the question: somebody else may go on with the next wave meanwhile.
            job, name = run.job, run.job_name
            answer = await self._poller.get(job) if job else None
            if answer is not None and not self._goes_on(run, answer, name):
                return await self._telling.live(run, answer)
            async with self._turns.taken(until - self._clock.now()) as mine, self._runs.held(run, until) as held:
                if not mine or not held:
                    return self._telling.queued(
                        run, "the connector is busy, and goes on with it", under_way=bool(run.job)
                    )
                if answer and not await self._steps.go_on(run, handle, job, answer.job):
                    return await self._telling.live(run, answer)
                if not run.job and run.result is None:
                    await self._steps.submit(run, handle, self._moment(until))
            if run.submission is not None:
                return self._telling.queued(run, run.submission.note)
        return run.result

    def _goes_on(self, run: Run, answer: Answer, name: str) -> bool:
        """Whether what is known of a run's job changes the run: it has ended, is of another name, or is gone."""
        if answer.job is not None or answer.error is not None:
            run.missing_since = None
            return answer.job is not None and (answer.job.ended or answer.job.name != name)
        if run.missing_since is None:
            run.missing_since = self._clock.now()
        return self._clock.now() - run.missing_since > _MISSING_SECONDS

    async def _stop(self, run: Run, handle: Handle, reason: str, *, held: bool) -> Handle | None:
        """Stop a run, or say for which other one it stands."""
        folder = Folder(self._storage, run.prefix)
        try:
            contents = await folder.contents()
            if contents.ended:
                return None
            adopts = await folder.adopted(handle) if contents.adopts else None
            if adopts is not None:
                return adopts
            await folder.stop(reason)
        except (CallError, UnreadableError):
            # The next wave is not kept from being submitted: that is for the next call.
            await self._terminate(run, reason)
            raise
        plan = run.plan or await self._trust.named(handle)
        ended = await self._terminate(run, reason)
        if plan is not None:
            until = self._clock.now() + self._settings.patience_seconds
            await self._stopping.end(plan, run.submission if held else None, reason, until, besides=ended)
        self._metrics.stops.inc()
        run.end(self._telling.failed(run, f"stopped: {reason}"))
        return None

    async def _terminate(self, run: Run, reason: str) -> str:
        """End the job that is known here, and tell its ID. Empty: none is."""
        job, name = run.job, None if run.ours else run.job_name
        if job:
            await self._stopping.terminate(job, reason, name=name)
        return job
