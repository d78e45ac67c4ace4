"""What of a plan in S3 is believed: the code of jobs may have written it, and is to get nothing by that."""

from collections.abc import Iterable
from typing import Final

from flytekit_aws_batch.core import ownership, planning
from flytekit_aws_batch.core.definitions import definition_name
from flytekit_aws_batch.core.folder import Folder, UnreadableError
from flytekit_aws_batch.core.plan import Handle, JobRequest, Plan
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.storage import Storage

# Where a job is looked for, and submitted where there is none.
_QUEUES = ("queue", "last_queue")
_SHARES = ("share", "last_share")
# Role, secrets, file systems, the host: none of it is SubmitJob's.
_RIGHTS = ("registration", "definition")

NOT_BELIEVED: Final = "none"
"""The digest of an earlier attempt's run whose plan is not believed, nor any that somebody writes there later."""


class Trust:
    """Reads plans, and takes of those that it cannot vouch for no more than it may.

    What a handle has is believed, as the orchestrator keeps it; so is a plan whose digest a handle has. Of any other
    neither the job definition is taken, which is all rights that a job has, nor what is another project's.

    All methods raise :class:`~flytekit_aws_batch.core.aws.CallError` when S3 refuses, or does not answer in time, and
    :meth:`of` :class:`~flytekit_aws_batch.core.folder.UnreadableError` when something else has written there.

    Args:
        storage: S3.
        settings: What belongs to whom.
    """

    def __init__(self, storage: Storage, settings: Settings) -> None:
        self._storage = storage
        self._settings = settings

    async def kept(self, plan: Plan) -> Handle:
        """Write a plan just made, unless there is one, and tell by which one the run goes.

        By another one than its own only where that sends it: an earlier start may have submitted it there.
        """
        folder, handle = Folder(self._storage, plan.output_prefix), Handle.of(plan)
        digest = await folder.keep_plan(plan)
        if digest is None:
            there = await self._there(folder)
            if there is None or _content(there[0]) != _content(plan):
                return handle.model_copy(update={"plan": self._placed(plan, there)})
            digest = there[1]
        return handle.model_copy(update={"digest": digest})

    async def of(self, handle: Handle, *, planned: bool = True) -> Plan | None:
        """What a run runs. None: that is gone, or is another plan than the one that its handle was made for."""
        folder = Folder(self._storage, handle.output_prefix)
        if handle.plan is None:
            plan = await folder.plan(handle.digest) if planned else None
            return plan if plan and handle.fits(plan) else None
        if not planned and await folder.keep_plan(handle.plan):
            return handle.plan
        return self._placed(handle.plan, await self._there(folder))

    async def named(self, handle: Handle) -> Plan | None:
        """A plan by which to look for a run's jobs, whoever wrote it: they have the run's name. None: there is none."""
        there = await self._there(Folder(self._storage, handle.output_prefix))
        if handle.plan is not None:
            return self._placed(handle.plan, there)
        return there[0] if there and handle.fits(there[0]) else None

    async def begun(self, request: JobRequest, why: str) -> Handle | None:
        """The run that an earlier start has begun of what is refused now. None: there is none.

        It goes on with its job definition where Batch has one of that content under the project's name.

        Args:
            request: What is refused.
            why: Why. It is said with all that is told of the run.
        """
        handle = Handle(output_prefix=request.output_prefix, name=request.name, attempt=request.attempt)
        there = await self._there(Folder(self._storage, request.output_prefix))
        if there is None or not handle.fits(there[0]):
            return None
        stem = planning.definition_stem(self._settings, request.project, request.domain)
        name = definition_name({**(there[0].registration or {}), "jobDefinitionName": stem})
        notes = (*there[0].notes, f"by now it is refused: {why}")
        shares = dict.fromkeys(self._anothers_shares(there[0], request.project))
        plan = there[0].model_copy(update={"registration": None, "definition": name, "notes": notes, **shares})
        return handle.model_copy(update={"plan": plan})

    async def earlier(self, plan: Plan, handle: Handle) -> Handle:
        """An earlier attempt's run, with what it may go on by. Where its plan is another task's, that is nothing.

        Args:
            plan: The later attempt's.
            handle: The earlier one's, of which no more than the names is known.
        """
        there = await self._there(Folder(self._storage, handle.output_prefix))
        theirs, digest = there or (None, "")
        whose = theirs and (theirs.project, theirs.domain) == (plan.project, plan.domain)
        if not theirs or not whose or not handle.fits(theirs):
            return handle.model_copy(update={"digest": NOT_BELIEVED})
        taken = (*_RIGHTS, *self._anothers_shares(theirs, plan.project))
        if _content(theirs, *taken) == _content(plan, *taken):
            return handle.model_copy(update={"digest": digest})
        return handle.model_copy(update={"plan": _with(theirs, plan, taken)})

    def _placed(self, own: Plan, there: tuple[Plan, str] | None) -> Plan:
        if there is None or not Handle.of(own).fits(there[0]):
            return own
        # In which queue its job may be does not depend on whose a share is by now.
        shares = set(_SHARES) - self._anothers_shares(there[0], own.project)
        return _with(own, there[0], (*_QUEUES, *shares))

    def _anothers_shares(self, plan: Plan, project: str) -> set[str]:
        """Which of a plan's shares the settings give to another project."""
        return {name for name in _SHARES if ownership.is_anothers_share(getattr(plan, name), project, self._settings)}

    async def _there(self, folder: Folder) -> tuple[Plan, str] | None:
        try:
            return await folder.planned()
        except UnreadableError:
            return None


def _content(plan: Plan, *names: str) -> object:
    return plan.model_dump(mode="json", include=set(names) or None)


def _with(plan: Plan, other: Plan, names: Iterable[str]) -> Plan:
    return plan.model_copy(update={name: getattr(other, name) for name in names})
