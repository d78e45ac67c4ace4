"""The server's own interface, ``/_aerodrome/...``, in front of MiniStack."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from aerodrome_local.checkpoint import Checkpoint
from aerodrome_local.ministack_private import all_stacks
from aerodrome_local.runtime import Runtime

if TYPE_CHECKING:
    from aerodrome_local.handlers import Audit

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

PREFIX = "/_aerodrome/"


class Admin:
    """An ASGI application that answers ``/_aerodrome/NAME`` and hands everything else to MiniStack.

    GET shows a view, POST with a JSON object carries out an action.

    Attributes:
        audit: The property audit where the server was started with it, otherwise None.
    """

    def __init__(self, runtime: Runtime, ministack: AsgiApp, checkpoint: Checkpoint) -> None:
        self.audit: Audit | None = None
        self._runtime = runtime
        self._ministack = ministack
        self._checkpoint = checkpoint
        self._ready = False
        self._views: dict[str, Callable[[], object]] = {
            "health": self._health,
            "status": self._status,
            "audit": self._audit,
            **runtime.views,
        }

    async def start(self) -> None:
        """Run the extensions' start callbacks, then report ready."""
        for callback in self._runtime.start_callbacks:
            await asyncio.to_thread(callback)
        self._ready = True

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Answer one ASGI scope."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            if scope.get("method") not in ("GET", "HEAD"):
                self._checkpoint.requests += 1
            await self._ministack(scope, receive, send)
            return
        name = scope["path"].removeprefix(PREFIX)
        if scope["method"] == "POST":
            status, body = self._act(name, await _body(receive))
        else:
            view = self._views.get(name)
            status, body = (404, {"views": sorted(self._views)}) if view is None else (200, view())
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def _act(self, name: str, body: bytes) -> tuple[int, object]:
        action = self._runtime.actions.get(name)
        if action is None:
            return 404, {"actions": sorted(self._runtime.actions)}
        self._checkpoint.requests += 1
        try:
            request = json.loads(body)
            if isinstance(request, dict):
                return 200, action(request)
        except ValueError as error:
            return 400, {"message": str(error)}
        return 400, {"message": "the request's body must be a JSON object"}

    def _health(self) -> object:
        return {"ready": self._ready, "state_dir": str(self._runtime.state_dir), "port": self._runtime.port}

    def _status(self) -> object:
        accounts: dict[str, dict[str, Any]] = {}
        for (account, region, name), stack in all_stacks._data.items():  # noqa: SLF001 - every account's
            status = stack.get("StackStatus", "")
            if status == "DELETE_COMPLETE":
                continue
            entry = accounts.setdefault(account, {"regions": [], "stacks": {}, "resources": 0, "types": Counter()})
            if region not in entry["regions"]:
                entry["regions"].append(region)
            entry["stacks"][name] = status
            types = Counter(resource["ResourceType"] for resource in stack.get("_resources", {}).values())
            entry["types"].update(types)
            entry["resources"] += types.total()
        return {"accounts": accounts}

    def _audit(self) -> object:
        return {"recording": self.audit is not None, "unread": {} if self.audit is None else self.audit.unread()}


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
