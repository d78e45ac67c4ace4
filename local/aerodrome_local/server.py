"""The server process of an embedded AWS: MiniStack with our extensions on one loopback port."""

import asyncio
import contextlib
import logging
import os
import resource
import shutil
import socket
from pathlib import Path
from typing import NoReturn

import psutil

from aerodrome_local.instance import Instance, Server


def main(state_dir: Path, *, audit: bool) -> NoReturn:
    """Serve until SIGTERM, then save the state, end every child, and exit: 0, or 1 when an extension did not start.

    Raises:
        RuntimeError: MiniStack's version is not the pinned one.
    """
    instance = Instance(state_dir)
    listener = bind(instance.remembered_port())
    port = listener.getsockname()[1]
    os.environ["GATEWAY_PORT"] = str(port)
    shutil.rmtree(state_dir / "tmp", ignore_errors=True)
    (state_dir / "tmp").mkdir()
    _raise_file_limit()
    instance.write_server(Server(os.getpid(), psutil.Process().create_time(), port))
    from aerodrome_local.gateway import serve  # noqa: PLC0415 - MiniStack reads GATEWAY_PORT when it is imported

    started = asyncio.run(serve(state_dir, listener, audit=audit))
    logging.shutdown()
    # Threads that wait for a Lambda function or a job would keep an interpreter from ending.
    os._exit(0 if started else 1)


def bind(port: int | None) -> socket.socket:
    """Bind the port on 127.0.0.1, or a free one when it is taken or None."""
    for candidate in (port, 0):
        if candidate is None:
            continue
        # asyncio sends small packets at once (TCP_NODELAY) only where the protocol is named. Otherwise an answer's body
        # waits 40 ms for the client's delayed acknowledgement of its head.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # our own closed connections are no hindrance
        try:
            listener.bind(("127.0.0.1", candidate))
            # Listening is what makes a second bind with SO_REUSEADDR fail.
            listener.listen(100)
        except OSError:
            listener.close()
            continue
        listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        return listener
    raise OSError("no free port on 127.0.0.1")


def _raise_file_limit() -> None:
    """A `cdk deploy --concurrency 8` with its Lambda functions opens more than the usual 1024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some values that it reports as its limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
