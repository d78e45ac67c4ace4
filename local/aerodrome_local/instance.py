"""One embedded AWS on disk: its directory, its lock, and the process that serves it."""

import contextlib
import fcntl
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

MARKER = ".aerodrome-local"
LOCK_SECONDS = 90.0


class LocalAwsError(Exception):
    """Something that the person who typed the command can mend; the text says how."""


@dataclass(frozen=True, slots=True)
class Server:
    """The process that serves an instance."""

    pid: int
    create_time: float
    port: int

    @property
    def endpoint(self) -> str:
        """The endpoint URL of every service."""
        return f"http://127.0.0.1:{self.port}"

    def process(self) -> psutil.Process | None:
        """The process, or None when it has ended, also when another process has its pid by now."""
        try:
            process = psutil.Process(self.pid)
            # Both numbers come from the kernel's clock ticks; a pid that was used again differs by far more.
            same = abs(process.create_time() - self.create_time) < 0.5  # noqa: PLR2004 - seconds
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


@dataclass(frozen=True, slots=True)
class Instance:
    """The state directory of an embedded AWS.

    Attributes:
        directory: Absolute. Everything that the instance writes is below it.
    """

    directory: Path

    @property
    def log_file(self) -> Path:
        """What the server and the Lambda functions print."""
        return self.directory / "server.log"

    @property
    def _server_file(self) -> Path:
        return self.directory / "server.json"

    @property
    def _port_file(self) -> Path:
        return self.directory / "port"

    def is_ours(self) -> bool:
        """Whether this package made the directory."""
        return (self.directory / MARKER).is_file()

    def prepare(self) -> None:
        """Make the directory, or check that it is ours.

        Raises:
            LocalAwsError: The directory has other content.
        """
        if self.is_ours():
            return
        if self.directory.exists() and (not self.directory.is_dir() or any(self.directory.iterdir())):
            raise LocalAwsError(
                f"{self.directory} is not empty and not the state of an embedded AWS (it has no file {MARKER}): "
                "give another directory with --state-dir"
            )
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / MARKER).write_text("The state of an embedded AWS. `aerodrome local reset` deletes it.\n")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the instance's lock, so that two commands do not start or stop it at once.

        The kernel frees the lock when its holder dies, so it is never stale.

        Raises:
            LocalAwsError: Another command has held it for too long.
        """
        with (self.directory / "lock").open("w") as file:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise LocalAwsError(
                            f"another `aerodrome local` command has been working on {self.directory} for "
                            f"{LOCK_SECONDS:.0f} seconds: wait for it or end it, then try again"
                        ) from None
                    time.sleep(0.05)
            yield

    def remembered_port(self) -> int | None:
        """The port of the last run, or None before the first."""
        try:
            return int(self._port_file.read_text())
        except (OSError, ValueError):
            return None

    def write_server(self, server: Server) -> None:
        """Record the serving process and its port. The server itself calls this once it has bound the port."""
        self._port_file.write_text(str(server.port))
        temporary = self._server_file.with_suffix(".new")
        temporary.write_text(
            json.dumps({"pid": server.pid, "create_time": server.create_time, "port": server.port}), encoding="utf-8"
        )
        temporary.replace(self._server_file)

    def forget_server(self) -> None:
        """Delete the record of the serving process."""
        self._server_file.unlink(missing_ok=True)

    def server(self) -> Server | None:
        """The live process that serves this instance, or None."""
        try:
            server = Server(**json.loads(self._server_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return server if server.process() is not None else None

    def healthy(self, server: Server) -> bool:
        """Whether the server answers, has loaded its state, and is this instance's."""
        health = get_json(server, "/_aerodrome/health", timeout_seconds=2)
        return health is not None and health.get("ready") is True and health.get("state_dir") == str(self.directory)

    def log_tail(self, lines: int) -> list[str]:
        """The last lines of the log."""
        try:
            return self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        except OSError:
            return []


def get_json(server: Server, path: str, timeout_seconds: float = 30) -> Any:  # noqa: ANN401 - any JSON value
    """GET a path of the server's own interface (``/_aerodrome/...``); None when it does not answer with 200."""
    # A proxy of the shell's environment is of no use for loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(server.endpoint + path, timeout=timeout_seconds) as response:
            return json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return None
