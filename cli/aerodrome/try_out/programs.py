"""Programs that ``aerodrome try`` runs: their output goes to a log, and Ctrl-C ends them with all that they started."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from aerodrome.project import PROJECT

PATIENCE: Final = 5.0
"""Seconds that a program has to end when it is asked to, before it is killed."""


def run_logged(
    command: Sequence[str | Path],
    *,
    variables: Mapping[str, str],
    log: Path,
    on_line: Callable[[str], None] = lambda _: None,
    asking: signal.Signals = signal.SIGTERM,
) -> int:
    """Run a program in the project's folder, and return its exit status.

    Args:
        command: The program and its arguments.
        variables: All of its environment variables.
        log: The file that gets its output. Its folder is made unless it is there.
        on_line: Called with each line of the output.
        asking: The signal that asks it to end when this one is interrupted.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command,
            cwd=PROJECT.root,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            # A group of its own: Ctrl-C reaches us alone, and we end the program with everything that it started.
            start_new_session=True,
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                file.write(line)
                file.flush()
                on_line(line)
        except BaseException:
            _end(process, asking)
            raise
    return process.returncode


def _end(process: subprocess.Popen[str], asking: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
        os.killpg(process.pid, asking)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
