"""Running one command: its output line by line, its time limit, and how it is stopped."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path

from aerodrome_local.batch_service import process_groups

_READ_BYTES = 65536
_POLL_SECONDS = 0.2
"""How long the reader waits for output before it looks at the clock, and how long a log line may wait to be sent."""

Output = Callable[[list[tuple[int, str]]], None]
"""Takes lines, each with its time in milliseconds since 1970."""

LINE_BYTES = 262_000
"""Longer lines are split: CloudWatch Logs takes events of 256 KiB, less 26 bytes of its own."""


class StopCause(Enum):
    """Why a running command was stopped from outside."""

    TIMEOUT = "its time was up"
    TERMINATED = "someone asked for it"
    HOST_LOST = "its host is gone"


class StartError(Exception):
    """The command could not be started. The text says why, as a container's ``reason`` does."""


class Execution:
    """One run of a command in a process group of its own.

    Args:
        argv: The command. Its first word is looked up on the PATH of ``environment``.
        environment: The whole environment; nothing is inherited.
        directory: The working directory.
        output: Called with lines of standard output and error, in order, at most 0.2 s after they were written.
        duration: Seconds after which the command is stopped. None for no limit.
        grace: Seconds between SIGTERM and SIGKILL.

    Raises:
        StartError: There is no such command, or it cannot be executed.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        *,
        output: Output,
        duration: float | None,
        grace: float,
    ) -> None:
        self._output = output
        self._grace = grace
        self._partial = b""
        self._pending: list[tuple[int, str]] = []
        self._kill_at: float | None = None
        self.stopped: StopCause | None = None
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise StartError(
                f'CannotStartContainerError: exec: "{argv[0]}": executable file not found in $PATH'
            ) from error
        except OSError as error:
            raise StartError(f'CannotStartContainerError: exec: "{argv[0]}": {error.strerror}') from error
        self._deadline = None if duration is None else time.monotonic() + duration
        self.process = process_groups.record(self._process.pid)

    def stop(self, cause: StopCause) -> None:
        """Stop the command: SIGTERM, and SIGKILL after the grace, which a lost host does not give. For any thread."""
        if self.stopped is None:
            self.stopped = cause
        if cause is StopCause.HOST_LOST:
            self._kill_at = 0.0
            self._signal(signal.SIGKILL)
        elif self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace
            self._signal(signal.SIGTERM)

    def wait(self) -> int:
        """Pass output on until the command has ended, and all that it started with it.

        Returns:
            The exit code; 128 plus the signal's number when a signal ended it, as a container's is.
        """
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - Popen was given PIPE
        with stream:
            descriptor = stream.fileno()
            while self._process.poll() is None:
                self._keep_time()
                self._read(descriptor, _POLL_SECONDS)
            # The container's end is the end of everything in it.
            process_groups.signal_group(self._process.pid, signal.SIGKILL)
            while self._read(descriptor, 0):
                pass
        if self._partial:
            self._take_lines(b"\n")
        self._flush()
        code = self._process.returncode
        return code if code >= 0 else 128 - code

    def _keep_time(self) -> None:
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline and self.stopped is None:
            self.stop(StopCause.TIMEOUT)
        if self._kill_at is not None and now >= self._kill_at:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:  # once it is reaped, its id may be another's
            process_groups.signal_group(self._process.pid, number)

    def _read(self, descriptor: int, seconds: float) -> bool:
        """Take what is there to read within that time. False when there is nothing, now or ever."""
        # Unlike select(), it takes descriptors above 1,023, of which many jobs at once have need.
        ready = select.poll()
        ready.register(descriptor, select.POLLIN)
        if not ready.poll(seconds * 1000):
            self._flush()
            return False
        data = os.read(descriptor, _READ_BYTES)
        if not data:
            # The end of the output, so usually of the command. If that goes on in silence, wait without spinning.
            self._flush()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=seconds)
            return False
        self._take_lines(data)
        if self._pending and time.time() * 1000 - self._pending[0][0] >= _POLL_SECONDS * 1000:
            self._flush()
        return True

    def _take_lines(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        while len(self._partial) > LINE_BYTES:
            lines.append(self._partial[:LINE_BYTES])
            self._partial = self._partial[LINE_BYTES:]
        now = int(time.time() * 1000)
        for line in lines:
            # CloudWatch Logs refuses an empty event, and docker's awslogs driver leaves empty lines out.
            for start in range(0, len(line), LINE_BYTES):
                self._pending.append((now, line[start : start + LINE_BYTES].decode("utf-8", "replace").rstrip("\r")))

    def _flush(self) -> None:
        pending = [(when, line) for when, line in self._pending if line]
        self._pending = []
        if pending:
            self._output(pending)
