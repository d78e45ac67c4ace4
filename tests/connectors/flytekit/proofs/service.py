"""The connector's own service, as its container starts it, and how it is killed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import grpc

PYFLYTE = Path(sys.executable).with_name("pyflyte")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class ConnectorService:
    """``pyflyte serve connector`` in a process of its own.

    Args:
        variables: Its environment.
        log: Where its output goes.
    """

    def __init__(self, variables: Mapping[str, str], log: Path) -> None:
        self._variables = {**os.environ, **variables}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._port, self.metrics_port = free_port(), free_port()
        self.address = f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [PYFLYTE, "serve", "connector", "--port", self._port, "--prometheus_port", self.metrics_port]
        self._process = await asyncio.to_thread(self._run, [str(part) for part in command])
        async with grpc.aio.insecure_channel(self.address) as channel:
            await asyncio.wait_for(channel.channel_ready(), 120)

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(command, env=self._variables, stdout=log, stderr=log, start_new_session=True)

    def kill(self) -> None:
        """End it as a node that is lost does: at whatever line it is."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def printed(self) -> str:
        """All that it has printed."""
        return self._log.read_text("utf-8", "replace")
