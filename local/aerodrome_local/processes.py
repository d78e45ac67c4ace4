"""Finding and ending the processes of one embedded AWS, whoever started them."""

import os
import signal
import time
from pathlib import Path

import psutil

INSTANCE_VARIABLE = "AERODROME_LOCAL_INSTANCE"
"""Set to the state directory in the server and in every process that it starts: how an orphan is known to be ours."""

GRACE_SECONDS = 2.0
"""How long a process may take to end after SIGTERM before it gets SIGKILL.

A clean end has stopped jobs and databases before: what is asked here was left over, and a database recovers from both.
"""


def of_instance(state_dir: Path) -> list[psutil.Process]:
    """Every live process that carries the mark of this state directory, with its descendants, but not the caller."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(INSTANCE_VARIABLE) == str(state_dir):
                # A PostgreSQL backend overwrites its environment with its title: it is known by its parent.
                for member in (process, *process.children(recursive=True)):
                    found[member.pid] = member
        except (psutil.Error, OSError):
            continue
    return [process for process in found.values() if process.pid != os.getpid()]


def end(processes: list[psutil.Process], grace_seconds: float = GRACE_SECONDS) -> list[tuple[str, int]]:
    """Ask processes to end (SIGTERM), kill those that do not (SIGKILL), and return name and pid of the killed."""
    names = {process.pid: _name(process) for process in processes}
    for process in processes:
        _send(process, signal.SIGTERM)
    stuck = _wait(processes, grace_seconds)
    for process in stuck:
        _send(process, signal.SIGKILL)
    _wait(stuck, grace_seconds)
    return [(names[process.pid], process.pid) for process in stuck]


def _wait(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until the processes have ended and return those that have not.

    psutil's own wait takes a process that has ended, and that its parent has not asked about, for a living one.
    """
    deadline = time.monotonic() + seconds
    while left := [process for process in processes if _lives(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return "ended"


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)  # psutil refuses when the pid belongs to another process by now
    except psutil.Error:
        return
