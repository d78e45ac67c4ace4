"""Process groups: each attempt of a job runs in one of its own, so that ending the attempt ends all that it started."""

import os
import signal
import subprocess
from pathlib import Path

from aerodrome_local.batch_service.model import Json

_START_TIME_FIELD = 21
"""Index of ``starttime`` in ``/proc/PID/stat``, counted from 0 (proc_pid_stat(5))."""


def signal_group(leader: int, number: signal.Signals) -> bool:
    """Send a signal to a process group. False when the group no longer exists."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


def record(leader: int) -> Json:
    """What is saved of a process so that :func:`kill_recorded` knows it again after a restart."""
    return {"pid": leader, "started": _start_time(leader)}


def kill_recorded(recorded: Json) -> bool:
    """Kill the process group that an earlier life of the server started.

    Returns:
        Whether it was still there. A process that merely has the same id by now is left alone: its start time differs.
    """
    pid: int = recorded["pid"]
    started = _start_time(pid)
    # The leader may be gone while its children live on; their group's id is not given to another process meanwhile.
    if started is not None and started != recorded["started"]:
        return False
    return signal_group(pid, signal.SIGKILL)


def _start_time(pid: int) -> str | None:
    """When a process started, in the words of this system, or None when there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            text = stat.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The second field is the command's name in brackets, which may hold spaces and brackets itself.
        return text.rpartition(")")[2].split()[_START_TIME_FIELD - 2]
    answer = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C"},
    )
    return answer.stdout.strip() or None
