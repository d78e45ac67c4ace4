"""Starting, stopping and deleting an embedded AWS."""

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

from aerodrome_local import processes
from aerodrome_local.environment import server_environment
from aerodrome_local.instance import Instance, LocalAwsError, Server

START_SECONDS = 60.0
"""How long `up` waits for an answer: 0.5-1.5 s on an idle laptop, and a restored state of a whole platform adds 2."""

STOP_SECONDS = 15.0
"""How long `down` waits for a clean end: saving the state takes up to 3 s, ending jobs and databases up to 8."""

LOG_TAIL_LINES = 25


@dataclass(frozen=True, slots=True)
class Started:
    """What `up` did.

    Attributes:
        server: The process that serves the instance now.
        already_up: Whether it was up before.
        moved_from: The port of the last run when it was taken this time, otherwise None.
    """

    server: Server
    already_up: bool
    moved_from: int | None


def up(instance: Instance, *, audit: bool = False) -> Started:
    """Start the instance, or find it up, and return once it answers.

    Args:
        instance: Where its state is.
        audit: Record which CloudFormation properties no handler reads (``/_aerodrome/audit``).

    Raises:
        LocalAwsError: The directory is not ours, or the server did not start; with the log's last lines.
    """
    instance.prepare()
    with instance.locked():
        server = instance.server()
        # Alive without an answer: another `up` was killed while this server started. It may still come.
        if server is not None and _wait_until_healthy(instance, None):
            return Started(server, already_up=True, moved_from=None)
        processes.end(processes.of_instance(instance.directory))
        instance.forget_server()
        remembered = instance.remembered_port()
        try:
            server = _start(instance, audit=audit)
        except BaseException:  # Ctrl-C included: nothing half-started stays behind
            processes.end(processes.of_instance(instance.directory))
            instance.forget_server()
            raise
    return Started(server, already_up=False, moved_from=remembered if remembered not in (None, server.port) else None)


def _start(instance: Instance, *, audit: bool) -> Server:
    if instance.log_file.exists():
        instance.log_file.replace(instance.log_file.with_suffix(".log.1"))
    command = [sys.executable, "-m", "aerodrome_local", "serve", "--state-dir", str(instance.directory)]
    with instance.log_file.open("wb") as log:
        process = subprocess.Popen(
            command + (["--audit"] if audit else []),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=instance.directory,
            env=server_environment(instance.directory),
            start_new_session=True,  # the terminal's Ctrl-C and hang-up are not for the server
        )
    if _wait_until_healthy(instance, process):
        server = instance.server()
        if server is not None:
            return server
    ended = process.poll()
    why = f"ended with status {ended}" if ended is not None else f"did not answer within {START_SECONDS:.0f} seconds"
    tail = "\n".join(f"    {line}" for line in instance.log_tail(LOG_TAIL_LINES))
    raise LocalAwsError(f"the embedded AWS {why}. The end of {instance.log_file}:\n{tail}")


def _wait_until_healthy(instance: Instance, process: subprocess.Popen[bytes] | None) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        server = instance.server()
        if server is not None and instance.healthy(server):
            return True
        if (process is None and server is None) or (process is not None and process.poll() is not None):
            return False
        time.sleep(0.05)
    return False


@dataclass(frozen=True, slots=True)
class Stopped:
    """What `down` did.

    Attributes:
        was_up: Whether a server was running.
        killed: Name and pid of each process that did not end when asked.
    """

    was_up: bool
    killed: tuple[str, ...]


def down(instance: Instance) -> Stopped:
    """Stop the instance and everything that it started; its state stays."""
    if not instance.is_ours():
        return Stopped(was_up=False, killed=())
    with instance.locked():
        return _stop(instance)


def _stop(instance: Instance) -> Stopped:
    server = instance.server()
    process = None if server is None else server.process()
    stuck = [] if process is None else processes.end([process], grace_seconds=STOP_SECONDS)
    # Whatever the server had started and could not end itself, also when it was killed earlier.
    stuck += processes.end(processes.of_instance(instance.directory))
    instance.forget_server()
    return Stopped(was_up=process is not None, killed=tuple(f"{name} ({pid})" for name, pid in stuck))


def reset(instance: Instance) -> bool:
    """Stop the instance and delete its state. False when there was none.

    Raises:
        LocalAwsError: The directory exists and is not ours.
    """
    if not instance.directory.exists():
        return False
    if not instance.is_ours():
        raise LocalAwsError(
            f"{instance.directory} is not the state of an embedded AWS (it has no file .aerodrome-local), so nothing "
            "was deleted: check --state-dir"
        )
    with instance.locked():
        _stop(instance)
        shutil.rmtree(instance.directory)
    return True
