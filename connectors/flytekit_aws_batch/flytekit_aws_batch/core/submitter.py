"""Submitting a job once, whatever happens to the connector or to an answer.

SubmitJob has no client token. An object in S3 is one instead: who creates ``wave-<n>.json`` may submit the wave. How
long it may take is measured in leases (``lease_seconds``):

- Whoever holds the object sends a request only within a quarter of a lease after writing it; else it is written anew.
- A request whose outcome is unknown is followed by another one only when the job's name has not been found in Batch's
  list for half a lease.
- Whoever finds somebody else's object, no job by the name, and the object unchanged for a lease, takes it over by a
  write that succeeds for one only, looks for the name once more, and submits.

So there is one job as long as the list of jobs is less than half a lease behind. A ``stopped`` object that is there
before a request is sent keeps it from being sent.
"""

import concurrent.futures
import uuid
from dataclasses import dataclass
from typing import Any

from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.definitions import SEEN_EVERYWHERE_SECONDS, Definitions, is_unknown
from flytekit_aws_batch.core.flights import landed
from flytekit_aws_batch.core.folder import Folder
from flytekit_aws_batch.core.listing import find
from flytekit_aws_batch.core.plan import Plan, Wave
from flytekit_aws_batch.core.requests import submit_request
from flytekit_aws_batch.core.storage import Storage, Stored

_SENDING = 0.25
_DOUBT = 0.5
# Both times that an age is made of are whole seconds.
_ROUNDING_SECONDS = 1.0
_SOON = "it is about to be submitted"
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0


@dataclass(slots=True)
class Submission:
    """How far the submission of a wave is; what of it is lost with the process is found again.

    Attributes:
        wave: The wave; once it is in S3, as it is there, whoever wrote it.
        etag: Of the wave's object, while it is ours. None: it is not.
        held_since: When we began to write it.
        flight: The request on its way, which may outlive whoever waited for it. None: there is none.
        doubt_since: When a request came to an end of which nobody knows what became. None: there is none.
        definition: The job definition that was last sent.
        unknown_since: When Batch said first that it does not know the definition. None: it did not.
        tries: What came to nothing since it last went on.
        note: What it waits for.
        stopped: Whether the run was stopped, so that nothing is submitted any more.
        ours: Whether the wave's job is what Batch itself answered, or has by the wave's name, rather than what S3 says.
    """

    wave: Wave
    etag: str | None = None
    held_since: float = 0.0
    flight: concurrent.futures.Future[dict[str, Any]] | None = None
    doubt_since: float | None = None
    definition: str = ""
    unknown_since: float | None = None
    tries: int = 0
    note: str = _SOON
    stopped: bool = False
    ours: bool = False

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        return bool(self.wave.job) or self.stopped


class Submitter:
    """Submits waves.

    Args:
        aws: The way to AWS.
        storage: Where the waves are.
        definitions: Where job definitions are from.
    """

    def __init__(self, aws: Aws, storage: Storage, definitions: Definitions) -> None:
        self._aws = aws
        self._clock = aws.clock
        self._metrics = aws.metrics
        self._lease_seconds = aws.settings.lease_seconds
        self._storage = storage
        self._definitions = definitions

    async def advance(self, plan: Plan, submission: Submission, until: float) -> None:
        """Go on with a submission until it is over or time is up. One caller at a time in a process.

        Raises:
            CallError: Batch, S3 or IAM refuse it, and would again. What passes is told in the submission's ``note``.
        """
        # It may be over: whoever had its job was perhaps cancelled as that was written down.
        while not submission.over:
            try:
                await self._step(plan, submission, until)
            except CallError as error:
                if not error.passes:
                    raise
                submission.note = f"AWS does not take it now: {error}"
            if submission.over:
                return
            submission.tries += 1
            limit = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(submission.tries - 1, 10))
            pause = limit * (0.5 + self._clock.chance() / 2)
            if self._clock.now() + pause > until:
                return
            await self._clock.pause(pause)

    async def _step(self, plan: Plan, submission: Submission, until: float) -> None:
        if submission.flight is not None:
            await self._land(plan, submission, submission.flight, until)
        elif submission.etag is None:
            await self._claim(plan, submission, until)
        else:
            await self._resume(plan, submission, until)

    async def _claim(self, plan: Plan, submission: Submission, until: float) -> None:
        folder, number = Folder(self._storage, plan.output_prefix), submission.wave.number
        there = await folder.wave(number) if submission.tries else None
        if there is None:
            # A place in the line first: who waits for it with the object in hand waits on the lease.
            if not await self._turn(submission, until):
                return
            if await self._write(plan, submission, None):
                await self._send(plan, submission, until)
                return
            there = await folder.wave(number)
        if there is not None:
            submission.wave, stored = there
            await self._others(plan, submission, stored, until)

    async def _others(self, plan: Plan, submission: Submission, stored: Stored, until: float) -> None:
        """Somebody else submits this wave, or has, or was about to."""
        if submission.wave.job:
            self._metrics.submits.labels("found").inc()
            return
        if await self._found(plan, submission, stored.etag):
            return
        if stored.age_seconds < self._lease_seconds + _ROUNDING_SECONDS:
            submission.note = "another process of the connector is submitting it"
            return
        if await self._write(plan, submission, stored.etag):
            self._metrics.taken_over.inc()
            # Whoever it was may have submitted it after we looked.
            submission.doubt_since = float("-inf")
            await self._resume(plan, submission, until)

    async def _resume(self, plan: Plan, submission: Submission, until: float) -> None:
        """Go on with what we began ourselves."""
        if submission.doubt_since is not None:
            if await self._found(plan, submission, submission.etag):
                return
            if self._clock.now() - submission.doubt_since < self._lease_seconds * _DOUBT:
                submission.note = "it was submitted, but the answer was lost: it is looked for"
                return
        if not await self._turn(submission, until):
            return
        held = self._clock.now() - submission.held_since
        if held > self._lease_seconds * _SENDING and not await self._write(plan, submission, submission.etag):
            submission.etag = None
            return
        submission.doubt_since = None
        await self._send(plan, submission, until)

    async def _turn(self, submission: Submission, until: float) -> bool:
        wait = self._aws.reserve("batch", "submit_job", until - self._clock.now())
        if wait is None:
            submission.note = "it waits for its turn: the connector submits as fast as its settings let it"
            return False
        await self._clock.pause(wait)
        return True

    async def _write(self, plan: Plan, submission: Submission, etag: str | None) -> bool:
        """Make the wave's object ours, or keep it so."""
        began = self._clock.now()
        wave = submission.wave.model_copy(update={"claim": uuid.uuid4().hex})
        folder = Folder(self._storage, plan.output_prefix)
        written = await (folder.claim(wave) if etag is None else folder.replace(wave, etag))
        if written is None:
            return False
        submission.wave, submission.etag, submission.held_since = wave, written, began
        return True

    async def _send(self, plan: Plan, submission: Submission, until: float) -> None:
        # What may take long comes first: between the look and the request there is nothing that waits.
        defined = await self._defined(plan)
        request = submit_request(defined, submission.wave)
        if await Folder(self._storage, plan.output_prefix).is_stopped():
            submission.stopped = True
            return
        submission.definition = defined.definition
        last = submission.held_since + self._lease_seconds * _SENDING
        submission.flight = self._aws.submit("batch", "submit_job", request, not_after=last)
        await self._land(plan, submission, submission.flight, until)

    async def _land(
        self, plan: Plan, submission: Submission, flight: concurrent.futures.Future[dict[str, Any]], until: float
    ) -> None:
        # Whoever waits longer keeps others from their turn: whoever asks next hears of it.
        if not await landed(flight, max(0.0, until - self._clock.now())):
            submission.note = "it is being submitted: AWS Batch has not answered yet"
            return
        submission.flight = None
        try:
            answer = flight.result()
        except CallError as error:
            await self._not_sent(plan, submission, error)
            return
        self._metrics.submits.labels("submitted").inc()
        await self._record(plan, submission, answer["jobId"], submission.etag)

    async def _not_sent(self, plan: Plan, submission: Submission, error: CallError) -> None:
        if error.kind == "ambiguous":
            self._metrics.submits.labels("in_doubt").inc()
            submission.doubt_since = self._clock.now()
            submission.note = f"it was submitted, but whether Batch took it is not known: {error}"
            return
        if error.kind == "throttled":
            self._metrics.submits.labels("throttled").inc()
            submission.note = f"Batch takes no more submissions now: {error}"
            return
        if await self._may_be_defined(plan, submission, error):
            self._metrics.submits.labels("undefined").inc()
            submission.note = f"Batch does not know its job definition yet: {error}"
            return
        self._metrics.submits.labels("refused").inc()
        raise error

    async def _defined(self, plan: Plan) -> Plan:
        if plan.registration is None:
            return plan
        return plan.model_copy(update={"definition": await self._definitions.ensure(plan.registration)})

    async def _may_be_defined(self, plan: Plan, submission: Submission, error: CallError) -> bool:
        """Whether it was refused for a definition that is another one now, or that Batch is about to know."""
        if plan.registration is None:
            return False
        if await self._definitions.renewed(plan.registration, submission.definition):
            return True
        if not is_unknown(error):
            return False
        now = self._clock.now()
        submission.unknown_since = now if submission.unknown_since is None else submission.unknown_since
        return now - submission.unknown_since < SEEN_EVERYWHERE_SECONDS

    async def _found(self, plan: Plan, submission: Submission, etag: str | None) -> bool:
        job = await find(self._aws, plan, submission.wave)
        if job is None:
            return False
        self._metrics.submits.labels("found").inc()
        await self._record(plan, submission, job, etag)
        return True

    async def _record(self, plan: Plan, submission: Submission, job: str, etag: str | None) -> None:
        """Write down the job's ID, so that nobody has to look for it."""
        folder, number = Folder(self._storage, plan.output_prefix), submission.wave.number
        recorded = submission.wave.model_copy(update={"job": job, "claim": uuid.uuid4().hex})
        submission.wave, submission.doubt_since, submission.ours = recorded, None, True
        try:
            while etag is not None:
                submission.etag = await folder.replace(recorded, etag)
                if submission.etag is not None:
                    return
                # Somebody took it for given up, which should not be; of two jobs the recorded one stays.
                there = await folder.wave(number)
                if there is None:
                    return
                theirs, stored = there
                if theirs.job:
                    submission.wave, submission.ours = theirs, theirs.job == job
                    if theirs.job != job:
                        await self._aws.call("batch", "terminate_job", jobId=job, reason="it was submitted twice")
                    return
                etag = stored.etag
        except CallError:
            # The job is there all the same, and is found by its name.
            return
