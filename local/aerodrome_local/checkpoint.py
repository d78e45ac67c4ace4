"""Saving MiniStack's state while it runs, so that a killed server loses little; and mending what was cut off."""

import asyncio
import json
import logging
import shutil
import time
from typing import Any

from aerodrome_local.ministack_private import S3_DIRECTORY, all_stacks, s3_buckets, save_state, state_getters

INTERVAL_SECONDS = 60.0
"""MiniStack itself saves only at a clean end. Objects of S3 are on disk at once, whatever this says."""

SETTLE_SECONDS = 5.0
"""How long a clean end waits for stacks in progress. The largest of the platform takes less than one."""

_POLL_SECONDS = 0.5
# Of the time, at most this part goes into saving: a stack a second, in an account that is full, would take half of it.
_SHARE = 0.1
_IN_PROGRESS = "_IN_PROGRESS"
# For somebody who executes a stack's first change set, which may be never.
_WAITING = "REVIEW_IN_PROGRESS"
_INTERRUPTED = "interrupted: the embedded AWS ended in the middle of this operation"
# What the CDK CLI and our deployer go on from: a stack whose creation failed is deleted and made anew.
_AFTER_INTERRUPTION = {"CREATE": "ROLLBACK_FAILED", "UPDATE": "UPDATE_ROLLBACK_COMPLETE", "DELETE": "DELETE_FAILED"}

logger = logging.getLogger("aerodrome_local")


class Checkpoint:
    """Saves soon after each finished deployment, and every minute in which something was asked for.

    Attributes:
        requests: How many requests there were that may have changed something.
    """

    def __init__(self) -> None:
        self.requests = 0
        self._saved_requests = 0
        self._saved = self._changes()
        self._saved_at = time.monotonic()
        self._took_seconds = 0.0
        self._written: dict[str, Any] = {}

    async def run(self) -> None:
        """Watch stacks and buckets, and save when something changed and no stack is in progress. Until cancelled."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            since = time.monotonic() - self._saved_at
            overdue = since > INTERVAL_SECONDS and self.requests > self._saved_requests
            due = overdue or (since * _SHARE > self._took_seconds and self._changes() != self._saved)
            if due and not _stacks_in_progress():
                await self.save()

    async def save(self) -> None:
        """Write the state of every loaded service that is not on disk as it is."""
        started = time.monotonic()
        self._saved, self._saved_requests = self._changes(), self.requests
        # Copied on the event loop, which is what changes it; written on a thread, as it can be 80 MB of Lambda layers.
        states = {name: get_state() for name, get_state in state_getters().items()}
        await asyncio.to_thread(self._write, states)
        self._saved_at = time.monotonic()
        self._took_seconds = self._saved_at - started
        logger.info("saved the state in %.2f s", self._took_seconds)

    def _write(self, states: dict[str, Any]) -> None:
        for name, state in states.items():
            if state is not None and not (name in self._written and _equal(state, self._written[name])):
                save_state(name, state)
        self._written = states

    async def settle(self) -> None:
        """Wait until no stack is in progress, but not for long."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while _stacks_in_progress() and time.monotonic() < deadline:  # noqa: ASYNC110 - MiniStack sets no event
            await asyncio.sleep(0.05)

    @staticmethod
    def _changes() -> set[tuple[str, ...]]:
        stacks = {(stack["StackId"], stack.get("StackStatus", ""), _updated(stack)) for stack in _stacks()}
        return stacks | set(s3_buckets._data)  # noqa: SLF001 - every account's, not the current request's


def mend() -> None:
    """Bring the state that was loaded into one that can be worked with. Called before the first request."""
    for stack in _stacks():
        if not _in_progress(stack):
            continue
        status = stack["StackStatus"]
        stack["StackStatus"] = _AFTER_INTERRUPTION.get(status.partition("_")[0], "UPDATE_ROLLBACK_COMPLETE")
        stack["StackStatusReason"] = _INTERRUPTED
        # Some resources may have the new properties: the next update must not find "no changes".
        stack["_template"] = {**stack.get("_template", {}), "Metadata": {"Interrupted": True}}
        stack["_template_body"] = json.dumps(stack["_template"])
        logger.warning("stack %s was %s, now %s", stack.get("StackName"), status, stack["StackStatus"])
    # A bucket's objects are on disk at once, its record only with the next checkpoint. Without a region, it has none.
    for (account, name), bucket in list(s3_buckets._data.items()):  # noqa: SLF001 - every account's
        if bucket.get("region") is None:
            del s3_buckets._data[account, name]  # noqa: SLF001 - every account's
            shutil.rmtree(S3_DIRECTORY / account / name, ignore_errors=True)
            logger.warning("bucket %s was made after the last checkpoint: removed", name)


def _equal(one: Any, other: Any) -> bool:  # noqa: ANN401 - whatever a service keeps
    """Whether two copies of a service's state say the same. A Lambda layer in both is one object, so this is quick."""
    if type(one) is not type(other):
        return False
    if hasattr(one, "_data"):  # MiniStack's stores by account and region, which compare by identity
        return _equal(one._data, other._data)  # noqa: SLF001 - every account's, not the current request's
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    return bool(one == other)


def _stacks() -> list[dict[str, Any]]:
    return list(all_stacks._data.values())  # noqa: SLF001 - every account's, not the current request's


def _stacks_in_progress() -> bool:
    return any(_in_progress(stack) for stack in _stacks())


def _in_progress(stack: dict[str, Any]) -> bool:
    status = str(stack.get("StackStatus", ""))
    return status.endswith(_IN_PROGRESS) and status != _WAITING


def _updated(stack: dict[str, Any]) -> str:
    return str(stack.get("LastUpdatedTime", ""))
