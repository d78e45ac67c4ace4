"""Saving MiniStack's state while it runs, so that a killed server loses little."""

import asyncio
import logging
import time

from aerodrome_local.ministack_private import all_stacks, save_state, state_getters

INTERVAL_SECONDS = 60.0
"""MiniStack itself saves only at a clean end. Objects of S3 are on disk at once, whatever this says."""

_POLL_SECONDS = 1.0

logger = logging.getLogger("aerodrome_local")


class Checkpoint:
    """Saves after each finished deployment, and every minute."""

    def __init__(self) -> None:
        self._saved_stacks = self._stacks()
        self._saved_at = time.monotonic()

    async def run(self) -> None:
        """Watch the stacks and save when none is in progress and something changed. Runs until cancelled."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            stacks = self._stacks()
            if any(status.endswith("_IN_PROGRESS") for _, status, _ in stacks):
                continue
            if stacks != self._saved_stacks or time.monotonic() - self._saved_at > INTERVAL_SECONDS:
                self.save()

    def save(self) -> None:
        """Write every loaded service's state. Must run on the event loop, which is what changes that state."""
        started = time.monotonic()
        self._saved_stacks = self._stacks()
        for name, get_state in state_getters().items():
            state = get_state()
            if state is not None:
                save_state(name, state)
        self._saved_at = time.monotonic()
        logger.info("saved the state in %.2f s", self._saved_at - started)

    @staticmethod
    def _stacks() -> set[tuple[str, str, str]]:
        return {
            (stack["StackId"], stack.get("StackStatus", ""), str(stack.get("LastUpdatedTime", "")))
            for stack in all_stacks._data.values()  # noqa: SLF001 - every account's, not the current request's
        }
