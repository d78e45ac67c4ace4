"""What the server process serves: MiniStack's application with our extensions around it.

Import it late: MiniStack reads the environment, the port included, when it is imported.
"""

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from hypercorn.asyncio.run import worker_serve
from hypercorn.config import Config, Sockets
from hypercorn.utils import wrap_app

from aerodrome_local import handlers, ministack_private, processes
from aerodrome_local.admin import Admin
from aerodrome_local.checkpoint import Checkpoint, mend
from aerodrome_local.extensions import install_all
from aerodrome_local.runtime import Runtime

STOP_CALLBACKS_SECONDS = 8.0

logger = logging.getLogger("aerodrome_local")


async def serve(state_dir: Path, listener: socket.socket, *, audit: bool) -> bool:
    """Serve until SIGTERM or SIGINT, and return whether every extension started.

    Raises:
        RuntimeError: MiniStack's version is not the pinned one.
    """
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
