"""What the launcher changes in MiniStack's table of CloudFormation handlers: threads, hooks, and the property audit."""

import contextvars
import threading
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from concurrent.futures import Future
from typing import Any, TypeVar

from aerodrome_local.ministack_private import RESOURCE_HANDLERS, main_loop, run_types_on_worker_thread

Properties = dict[str, Any]
Created = tuple[str, dict[str, Any]]
Create = Callable[[str, Properties, str], Created]
Update = Callable[[str, Properties, Properties, str], Created]
Delete = Callable[[str, Properties], None]
AfterHook = Callable[[str, Properties, dict[str, Any]], Mapping[str, Any] | None]

_T = TypeVar("_T")
_on_worker_thread: set[str] = set()
_after: dict[str, list[AfterHook]] = {}
_before_delete: dict[str, list[Delete]] = {}


def install() -> None:
    """Make the engine ask us, too, which types run on a worker thread. Called once, before the extensions."""
    run_types_on_worker_thread(_on_worker_thread.__contains__)


def run_on_worker_thread(resource_type: str) -> None:
    """Run this type's handlers on a thread of their own, so that they may block and call back into the server."""
    _on_worker_thread.add(resource_type)


def on_loop(function: Callable[..., _T], *arguments: object) -> _T:
    """Run a built-in handler where MiniStack would: on the event loop, in the caller's context.

    Its stores are plain dicts that other requests' handlers change on that loop.
    """
    loop = main_loop()
    if loop is None or threading.current_thread() is threading.main_thread():
        return function(*arguments)
    context = contextvars.copy_context()
    future: Future[_T] = Future()

    def call() -> None:
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 - result() raises it on the calling thread
            future.set_exception(error)

    loop.call_soon_threadsafe(call, context=context)
    try:
        return future.result()
    finally:
        # The engine reads from this thread what the handler left in a context variable: a generated name's suffix.
        for variable, value in context.items():
            variable.set(value)


def after_create_and_update(resource_type: str, hook: AfterHook) -> None:
    """See :meth:`aerodrome_local.runtime.Runtime.on_create`."""
    if resource_type not in _after:
        _after[resource_type] = []
        _wrap_create_and_update(resource_type, _after[resource_type])
    _after[resource_type].append(hook)


def before_delete(resource_type: str, hook: Delete) -> None:
    """See :meth:`aerodrome_local.runtime.Runtime.on_delete`."""
    if resource_type not in _before_delete:
        _before_delete[resource_type] = []
        _wrap_delete(resource_type, _before_delete[resource_type])
    _before_delete[resource_type].append(hook)


def _built_in(resource_type: str) -> dict[str, Any]:
    entry: dict[str, Any] | None = RESOURCE_HANDLERS.get(resource_type)
    if entry is None:
        raise ValueError(f"MiniStack has no CloudFormation type {resource_type!r} to hook: register it with resource()")
    run_on_worker_thread(resource_type)
    return entry


def _wrap_create_and_update(resource_type: str, hooks: list[AfterHook]) -> None:
    entry = _built_in(resource_type)
    create, update, delete = entry["create"], entry.get("update"), entry["delete"]

    def run_hooks(physical_id: str, properties: Properties, attributes: dict[str, Any]) -> dict[str, Any]:
        for hook in hooks:
            attributes = {**attributes, **(hook(physical_id, properties, attributes) or {})}
        return attributes

    def create_then_hooks(logical_id: str, properties: Properties, stack_name: str) -> Created:
        physical_id, attributes = on_loop(create, logical_id, properties, stack_name)
        try:
            return physical_id, run_hooks(physical_id, properties, attributes)
        except Exception:
            arguments = (logical_id,) if entry.get("delete_with_logical_id") else ()
            on_loop(delete, physical_id, properties, *arguments)
            raise

    def update_then_hooks(
        physical_id: str, old: Properties, new: Properties, stack_name: str, *logical: str
    ) -> Created:
        if update is None:
            return create_then_hooks(logical[0], new, stack_name)
        arguments = logical if has_logical_id else ()
        physical_id, attributes = on_loop(update, physical_id, old, new, stack_name, *arguments)
        return physical_id, run_hooks(physical_id, new, attributes)

    has_logical_id = bool(entry.get("update_with_logical_id"))
    entry["create"] = create_then_hooks
    entry["update"] = update_then_hooks
    entry["update_with_logical_id"] = True


def _wrap_delete(resource_type: str, hooks: list[Delete]) -> None:
    entry = _built_in(resource_type)
    delete = entry["delete"]

    def hooks_then_delete(physical_id: str, properties: Properties, *logical: str) -> None:
        for hook in hooks:
            hook(physical_id, properties)
        on_loop(delete, physical_id, properties, *logical)

    entry["delete"] = hooks_then_delete


class RecordedProperties(dict[str, Any]):
    """A resource's properties that note which of the top-level ones a handler looked at."""

    def __init__(self, properties: Properties, read: set[str]) -> None:
        super().__init__(properties)
        self._read = read

    def _everything(self) -> None:
        self._read.update(dict.keys(self))

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - as dict's
        self._read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - as dict's
        """As dict's, noted."""
        self._read.add(key)
        return super().get(key, default)

    def pop(self, key: str, *default: Any) -> Any:  # noqa: ANN401 - as dict's
        """As dict's, noted."""
        self._read.add(key)
        return super().pop(key, *default)

    def __contains__(self, key: object) -> bool:
        self._read.add(str(key))
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self._everything()
        return super().__iter__()

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # dict's own type for it has no name
        """As dict's; everything counts as read."""
        self._everything()
        return super().keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]  # dict's own type for it has no name
        """As dict's; everything counts as read."""
        self._everything()
        return super().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]  # dict's own type for it has no name
        """As dict's; everything counts as read."""
        self._everything()
        return super().items()

    def copy(self) -> "RecordedProperties":
        """A copy that notes into the same record."""
        return RecordedProperties(dict(dict.items(self)), self._read)

    def __deepcopy__(self, memo: dict[int, Any]) -> "RecordedProperties":
        return self.copy()


class Audit:
    """Which top-level properties of created resources no handler has looked at.

    A handler that iterates over the properties counts as having read them all: it passes them on as a whole.
    """

    def __init__(self) -> None:
        self._given: dict[str, set[str]] = {}
        self._read: dict[str, set[str]] = {}

    def install(self) -> None:
        """Hand every create handler recorded properties. Called once, after the extensions."""
        for resource_type, entry in RESOURCE_HANDLERS.items():
            entry["create"] = self._recording(resource_type, entry["create"])

    def _recording(self, resource_type: str, create: Callable[..., Created]) -> Callable[..., Created]:
        def recorded(logical_id: str, properties: Properties, stack_name: str) -> Created:
            read = self._read.setdefault(resource_type, set())
            self._given.setdefault(resource_type, set()).update(properties)
            return create(logical_id, RecordedProperties(properties, read), stack_name)

        return recorded

    def unread(self) -> dict[str, list[str]]:
        """By resource type, the properties that were given and never read; every type that was created is a key."""
        return {name: sorted(given - self._read[name]) for name, given in sorted(self._given.items())}
