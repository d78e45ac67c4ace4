"""How a run stands, in the words and figures that are handed on."""

from collections import Counter
from collections.abc import Iterator, Mapping

from flytekit_aws_batch.core.failures import blocked
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.logs import stream_of
from flytekit_aws_batch.core.plan import Wave
from flytekit_aws_batch.core.poller import Answer
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.reasons import Reasons, duration
from flytekit_aws_batch.core.runs import Run
from flytekit_aws_batch.core.waves import Result

NOT_SUBMITTED = "NOT_SUBMITTED"
"""Beside the states of Batch's jobs, that of elements which wait for a further wave."""

_PHASES = {
    "SUBMITTED": Phase.QUEUED,
    "PENDING": Phase.QUEUED,
    "STARTING": Phase.STARTING,
    "RUNNING": Phase.RUNNING,
}
_MOST_INDICES = 20
# Until then most jobs have started, and nobody asks what they wait for.
_TOLD_AFTER_SECONDS = 60


class Telling:
    """Tells how runs stand.

    Args:
        reasons: What puts a job's state into words.
    """

    def __init__(self, reasons: Reasons) -> None:
        self._reasons = reasons

    async def live(self, run: Run, answer: Answer) -> Progress:
        """Of a run whose job was asked for."""
        job = answer.job
        if job is None:
            what = f"its state is unknown: {answer.error}" if answer.error else "AWS Batch does not show it yet"
            return self.queued(run, f"submitted as {run.job}; {what}")
        counts = _counts(run, job)
        words = [await self._list(run, job, counts) if run.size else await self._reasons.message(job)]
        if job.ended and (looking := self._reasons.looking(job)):
            words.append(looking)
        if run.because:
            words.append(f"submission {run.wave + 1}: {run.because}")
        words += run.notes
        if answer.error:
            words.append(f"{duration(answer.age_seconds)} ago; its state now is unknown: {answer.error}")
        return Progress(
            phase=self._phase(job, _state(counts) if run.size else job.status),
            message="\n".join(words),
            links=self._reasons.links(job),
            jobs=run.jobs,
            details=_details(run, job, run.wave, counts),
        )

    def queued(self, run: Run, note: str, *, under_way: bool = False) -> Progress:
        """Of a run something of which is being submitted, or is not known now.

        Args:
            run: The run.
            note: What it waits for.
            under_way: Whether its job is known to have begun. Default: that of a list has when a part of it has ended.
        """
        under_way = under_way or bool(run.size and (run.done or run.failed or run.wave))
        counts = {"SUCCEEDED": run.done, "FAILED": run.failed, NOT_SUBMITTED: run.left + run.elements}
        words = [_summary(run.size, counts)] if under_way and run.size else []
        words.append(f"submission {run.wave + 1} ({run.because}): {note}" if run.wave else note)
        words += run.notes
        return Progress(
            phase=Phase.RUNNING if under_way else Phase.QUEUED,
            message="\n".join(words),
            jobs=run.jobs,
            details={
                "submissions": run.wave + (1 if run.job else 0),
                **({"counts": counts} if run.size else {}),
                **_noted(run),
            },
        )

    async def ended(self, run: Run, wave: Wave, job: JobState, result: Result) -> Progress:
        """Of a run that has ended."""
        if result.succeeded:
            phase = Phase.SUCCEEDED
            message = _enough(result) if run.size else await self._reasons.message(job)
        else:
            phase = Phase.FAILED if result.final else Phase.FAILED_RETRYABLE
            words = _too_few(result) if run.size else (result.reasons[0],)
            # A time that was raised, say, may be what it failed by.
            message = "\n".join((*words, *run.notes))
        counts = {"SUCCEEDED": result.done, "FAILED": len(result.failed), NOT_SUBMITTED: result.not_tried}
        return Progress(
            phase=phase,
            message=message,
            links=self._reasons.links(job),
            jobs=run.jobs,
            details=_details(run, job, wave.number, counts),
            failed_indices=result.failed if run.size else (),
            output_prefix=run.prefix,
        )

    def failed(self, run: Run, message: str, *, final: bool = True) -> Progress:
        """Of a run that came to an end without its job's."""
        phase = Phase.FAILED if final else Phase.FAILED_RETRYABLE
        return Progress(phase=phase, message=message, jobs=run.jobs, output_prefix=run.prefix)

    def _phase(self, job: JobState, state: str) -> Phase:
        if state != "RUNNABLE":
            return _PHASES.get(state, Phase.RUNNING)
        if blocked(job.status_reason):
            return Phase.BLOCKED
        return Phase.QUEUED if self._reasons.waited(job) < _TOLD_AFTER_SECONDS else Phase.WAITING

    async def _list(self, run: Run, job: JobState, counts: Mapping[str, int]) -> str:
        waits = counts.get("RUNNABLE") and not (counts.get("RUNNING") or counts.get("STARTING"))
        summary = _summary(run.size, counts)
        return f"{summary}\n{await self._reasons.waiting(job)}" if waits else summary


def _details(run: Run, job: JobState, wave: int, counts: Mapping[str, int]) -> dict[str, object]:
    return {
        "state": job.status,
        "submissions": wave + 1,
        "attempts": len(job.attempts),
        "counts": {state: count for state, count in counts.items() if count},
        **_where(job),
        **_noted(run),
    }


def _where(job: JobState) -> dict[str, object]:
    found = stream_of(job)
    queue = job.queue.rpartition("/")[2]
    return {"queue": queue, "log": f"{found[1]} in {found[0]}"} if found else {"queue": queue}


def _noted(run: Run) -> dict[str, object]:
    # For who comes once it has succeeded, of which the message says nothing else.
    return {"notes": list(run.notes)} if run.notes else {}


def _counts(run: Run, job: JobState) -> dict[str, int]:
    counts = Counter(job.counts())
    if run.size:
        counts.update({"SUCCEEDED": run.done, "FAILED": run.failed, NOT_SUBMITTED: run.left})
    return counts


def _state(counts: Mapping[str, int]) -> str:
    """The state of a list: that of the element that is farthest."""
    if any(counts.get(state) for state in ("RUNNING", "SUCCEEDED", "FAILED")):
        return "RUNNING"
    return next((state for state in ("STARTING", "RUNNABLE") if counts.get(state)), "PENDING")


def _summary(size: int, counts: Mapping[str, int]) -> str:
    """Such as ``412 of 1,000 done, 3 failed, 120 run, 465 wait``."""
    done, failed = counts.get("SUCCEEDED", 0), counts.get("FAILED", 0)
    run = counts.get("RUNNING", 0) + counts.get("STARTING", 0)
    waits = size - done - failed - run
    parts = ((failed, "failed"), (run, "run"), (waits, "wait"))
    return ", ".join((f"{done:,} of {size:,} done", *(f"{count:,} {word}" for count, word in parts if count > 0)))


def _enough(result: Result) -> str:
    done = f"{result.done:,} of {result.size:,} done"
    if not result.failed:
        return done
    return f"{done}, {len(result.failed):,} failed, where {result.needed:,} are enough: {_listed(result)}"


def _too_few(result: Result) -> Iterator[str]:
    rest = f", {result.not_tried:,} not tried as it would change nothing" if result.not_tried else ""
    yield (
        f"{len(result.failed):,} of {result.size:,} failed, {result.done:,} done{rest}, where {result.needed:,} "
        f"have to succeed: {_listed(result)}"
    )
    for index, reason in result.reasons.items():
        yield f"element {index}: {reason}"


def _listed(result: Result) -> str:
    more = len(result.failed) - _MOST_INDICES
    shown = ", ".join(map(str, result.failed[:_MOST_INDICES]))
    return f"element{'s' if len(result.failed) > 1 else ''} {shown}{f' and {more:,} more' if more > 0 else ''}"
