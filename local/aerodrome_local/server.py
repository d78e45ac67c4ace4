"""The server process of an embedded AWS: MiniStack with our extensions on one loopback port."""

import asyncio
import contextlib
import logging
import os
import resource
import shutil
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import psutil

from aerodrome_local import processes
from aerodrome_local.instance import Instance, Server

STOP_CALLBACKS_SECONDS = 8.0

logger = logging.getLogger("aerodrome_local")


def main(state_dir: Path, *, audit: bool) -> NoReturn:
    """Serve until SIGTERM, then save the state, end every child, and exit: 0, or 1 when an extension did not start.

    Raises:
        RuntimeError: MiniStack's version is not the pinned one.
    """
    instance = Instance(state_dir)
    listener = bind(instance.remembered_port())
    port = listener.getsockname()[1]
    os.environ["GATEWAY_PORT"] = str(port)  # MiniStack reads it when it is imported
    shutil.rmtree(state_dir / "tmp", ignore_errors=True)
    (state_dir / "tmp").mkdir()
    _raise_file_limit()
    instance.write_server(Server(os.getpid(), psutil.Process().create_time(), port))
    started = asyncio.run(_serve(state_dir, listener, audit=audit))
    logging.shutdown()
    # Threads that wait for a Lambda function or a job would keep an interpreter from ending.
    os._exit(0 if started else 1)


def bind(port: int | None) -> socket.socket:
    """Bind the port on 127.0.0.1, or a free one when it is taken or None."""
    for candidate in (port, 0):
        if candidate is None:
            continue
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
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


async def _serve(state_dir: Path, listener: socket.socket, *, audit: bool) -> bool:
    # Imported late: MiniStack reads the environment, the port included, when it is imported. mypy sees the project's
    # environment, which has no hypercorn.
    from hypercorn.asyncio.run import worker_serve  # type: ignore[import-not-found]  # noqa: PLC0415
    from hypercorn.config import Config, Sockets  # type: ignore[import-not-found]  # noqa: PLC0415
    from hypercorn.utils import wrap_app  # type: ignore[import-not-found]  # noqa: PLC0415

    from aerodrome_local import handlers, ministack_private  # noqa: PLC0415
    from aerodrome_local.admin import Admin  # noqa: PLC0415
    from aerodrome_local.checkpoint import Checkpoint, mend  # noqa: PLC0415
    from aerodrome_local.extensions import install_all  # noqa: PLC0415
    from aerodrome_local.runtime import Runtime  # noqa: PLC0415

    ministack_private.check_version()
    port = listener.getsockname()[1]
    runtime = Runtime(state_dir=state_dir, port=port, endpoint=f"http://127.0.0.1:{port}")
    # A line for each of 60 services at each checkpoint says nothing: a failure is logged as an error.
    logging.getLogger("persistence").setLevel(logging.WARNING)
    handlers.install()
    install_all(runtime)
    checkpoint = Checkpoint()
    admin = Admin(runtime, ministack_private.asgi_app, checkpoint)
    if audit:
        admin.audit = handlers.Audit()
        admin.audit.install()

    config = Config()
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.accesslog = None
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    failures: list[BaseException] = []

    async def start_extensions() -> None:
        try:
            mend()
            await admin.start()
        except Exception as error:
            logger.exception("an extension of the embedded AWS did not start")
            failures.append(error)
            stopping.set()

    async def until_stopped() -> None:
        background = [asyncio.create_task(start_extensions()), asyncio.create_task(checkpoint.run())]
        await stopping.wait()
        for task in background:
            task.cancel()
        # First of all: what follows may take longer than `down` waits.
        await checkpoint.settle()
        await checkpoint.save()

    await worker_serve(
        wrap_app(admin, config.wsgi_max_body_size, "asgi"),
        config,
        sockets=Sockets([], [listener], []),
        shutdown_trigger=until_stopped,
    )
    _run_stop_callbacks(runtime.stop_callbacks)
    processes.end(processes.of_instance(state_dir))
    return not failures


def _run_stop_callbacks(callbacks: list[Callable[[], None]]) -> None:
    def run() -> None:
        for callback in reversed(callbacks):
            try:
                callback()
            except Exception:
                logger.exception("stopping: %s failed", callback)

    thread = threading.Thread(target=run, daemon=True, name="stop-callbacks")
    thread.start()
    thread.join(STOP_CALLBACKS_SECONDS)
