"""Closes what flytekit leaves open as a process ends, of which aiohttp would complain on stderr."""

import asyncio
import atexit
import sys
from contextlib import suppress
from typing import Any

_SECONDS = 1.0


def close_at_exit() -> None:
    """Have the clients of S3 closed that flytekit opened, as this process ends.

    s3fs closes those of its own loop by itself; those that flytekit has in its loops are the caller's to close
    (``s3fs.core.S3FileSystem.set_session``), which flytekit does not. It stops its loops at exit, so this comes before:
    what was registered last is called first, and whoever calls this a second time moves it there.
    """
    atexit.unregister(_close)
    atexit.register(_close)


def _close() -> None:
    # Whoever has not imported it has no clients, and would wait for it.
    s3fs: Any = sys.modules.get("s3fs.core")
    for files in tuple(s3fs.S3FileSystem._cache.values()) if s3fs else ():  # noqa: SLF001 - nothing public lists them
        # Nobody is left to mend what goes wrong by now.
        with suppress(Exception):
            _end(files)


def _end(files: Any) -> None:  # noqa: ANN401 - s3fs has no types
    """Close the clients of one file system in the loop that they belong to."""
    # What flytekit opens it with (get_async_filesystem_for_path in flytekit/core/data_persistence.py).
    loop: asyncio.AbstractEventLoop | None = files.storage_options.get("loop")
    client = getattr(files, "_s3creator", None)
    if client is None or loop is None or loop.is_closed():
        return
    closing = client.__aexit__(None, None, None)
    if loop.is_running():
        asyncio.run_coroutine_threadsafe(closing, loop).result(_SECONDS)
    else:
        loop.run_until_complete(asyncio.wait_for(closing, _SECONDS))
