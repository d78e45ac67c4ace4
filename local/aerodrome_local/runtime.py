"""What an extension of the embedded AWS may do: the contract between the launcher and what adds to MiniStack.

Each module named in :mod:`aerodrome_local.extensions` has one function, ``install(runtime: Runtime) -> None``. It runs
once, before the server listens and before saved state is loaded, and registers what the module adds.
"""

import asyncio
import json
import os
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from aerodrome_local import handlers
from aerodrome_local import ministack_private as ministack
from aerodrome_local.handlers import AfterHook, Create, Created, Delete, Properties, Update
from aerodrome_local.processes import INSTANCE_VARIABLE

__all__ = [
    "AfterHook",
    "Create",
    "Created",
    "Delete",
    "Properties",
    "Response",
    "Runtime",
    "ServiceHandler",
    "Update",
    "current_account",
    "current_region",
]

Response = tuple[int, dict[str, str], bytes]
ServiceHandler = Callable[[str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[Response]]

_T = TypeVar("_T")


def current_account() -> str:
    """The 12-digit account of the request or stack operation that this thread works for."""
    return str(ministack.get_account_id())


def current_region() -> str:
    """The region of the request or stack operation that this thread works for."""
    return str(ministack.get_region())


@dataclass(slots=True)
class Runtime:
    """One embedded AWS, as its extensions see it.

    Attributes:
        state_dir: The directory that holds everything of this instance. It exists and is absolute.
        port: The port on 127.0.0.1 that answers all services.
        endpoint: ``http://127.0.0.1:PORT``, the endpoint URL of every service.
        region: The region that requests without one are taken to be in.
    """

    state_dir: Path
    port: int
    endpoint: str
    region: str = "us-east-1"
    start_callbacks: list[Callable[[], None]] = field(default_factory=list)
    stop_callbacks: list[Callable[[], None]] = field(default_factory=list)
    views: dict[str, Callable[[], object]] = field(default_factory=dict)
    actions: dict[str, Callable[[dict[str, Any]], object]] = field(default_factory=dict)
    event_targets: dict[str, Callable[[Any], None]] = field(default_factory=dict)
    # One session for all: it keeps what it has read of AWS's models, which is most of what a client takes.
    _session: boto3.session.Session = field(default_factory=boto3.session.Session)
    _clients: dict[tuple[str, str, str], Any] = field(default_factory=dict)
    _clients_lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str, account: str | None = None, region: str | None = None) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        """A boto3 client of this instance, made once and shared by threads.

        It calls back into this server, so it must be used on a worker thread (where :meth:`resource` handlers and
        :meth:`on_create` hooks run) and never on the event loop (where :meth:`route` handlers run): that would wait
        for itself.

        Args:
            service: boto3's name of the service, for example ``"ec2"``.
            account: 12 digits. The account of the current request or stack operation when None.
            region: The region of the current request or stack operation when None.
        """
        key = (service, account or current_account(), region or current_region())
        with self._clients_lock:
            if key not in self._clients:
                self._clients[key] = self._session.client(
                    service,  # type: ignore[call-overload]  # the stubs list every service name as a literal
                    endpoint_url=self.endpoint,
                    aws_access_key_id=key[1],
                    aws_secret_access_key="embedded",  # noqa: S106 - any value will do: nothing is verified
                    region_name=key[2],
                    config=Config(
                        proxies={},  # loopback is never reached through a proxy
                        retries={"total_max_attempts": 1},
                        s3={"addressing_style": "path"},
                    ),
                )
            return self._clients[key]

    def resource(
        self,
        resource_type: str,
        *,
        create: Create,
        update: Update | None,
        delete: Delete,
        replaces: Sequence[str] = (),
        tags: tuple[str, str] | None = None,
    ) -> None:
        """Register a CloudFormation resource type, or replace a built-in one.

        The functions have MiniStack's own signature and run on a worker thread of their own, so they may block and may
        use :meth:`client`. :func:`current_account` and :func:`current_region` give the stack's account and region.
        Properties arrive with every intrinsic function resolved. An exception's text becomes the resource's failure
        reason, and the stack rolls back.

        Args:
            resource_type: For example ``"AWS::EC2::EIP"``.
            create: ``(logical_id, properties, stack_name) -> (physical_id, attributes)``. ``physical_id`` is what Ref
                gives, ``attributes`` what GetAtt gives; a nested attribute has a dotted key (``"Endpoint.Address"``).
            update: ``(physical_id, old_properties, new_properties, stack_name) -> (physical_id, attributes)``. Returns
                all attributes again. It is not called when nothing changed. None where every property is in
                ``replaces``.
            delete: ``(physical_id, properties) -> None``. A resource that is already gone is no error.
            replaces: Properties whose change replaces the resource: ``create`` runs anew under a new generated name
                (:meth:`physical_name`), then ``delete`` for the old one once the update has succeeded.
            tags: The property that takes the stack's tags and its shape, ``("Tags", "list")`` (Key/Value) or
                ``("Tags", "map")``. None where the type has no tags.
        """
        entry: dict[str, Any] = {"create": create, "delete": delete}
        if update is not None:
            entry["update"] = update
        ministack.RESOURCE_HANDLERS[resource_type] = entry
        ministack.REPLACING_PROPERTIES[resource_type] = tuple(replaces)
        if tags is not None:
            self.tag_property(resource_type, tags)
        handlers.run_on_worker_thread(resource_type)

    def tag_property(self, resource_type: str, tags: tuple[str, str]) -> None:
        """Give a type the stack's tags: in which property, and in which shape (see :meth:`resource`)."""
        ministack.STACK_TAG_PROPERTY[resource_type] = tags

    def on_create(self, resource_type: str, hook: AfterHook) -> None:
        """Run a hook after a built-in type's create and after its update.

        ``hook(physical_id, properties, attributes)`` runs on a worker thread, as :meth:`resource` functions do. What it
        returns is merged into the resource's attributes. When it raises after a create, the built-in resource is
        deleted again and the resource fails with the exception's text.

        Args:
            resource_type: A type that is already registered.
            hook: Called in order of registration. Must bring an existing resource up to date, too: it also runs after
                an update.
        """
        handlers.after_create_and_update(resource_type, hook)

    def on_delete(self, resource_type: str, hook: Delete) -> None:
        """Run ``hook(physical_id, properties)`` on a worker thread before a built-in type's delete."""
        handlers.before_delete(resource_type, hook)

    def physical_name(self, stack_name: str, logical_id: str, *, max_length: int = 128, lowercase: bool = False) -> str:
        """The name that CloudFormation would generate: ``stack-logicalId-SUFFIX``, stable over updates."""
        return str(ministack.physical_name(stack_name, logical_id, max_len=max_length, lowercase=lowercase))

    def on_start(self, callback: Callable[[], None]) -> None:
        """Run a callback on a worker thread once the server answers and saved state is loaded.

        ``up`` reports success only after all of them returned, in order of registration.
        """
        self.start_callbacks.append(callback)

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Run a callback once the server has stopped listening, in reverse order of registration.

        All callbacks together have 8 seconds; what still runs afterwards is killed.
        """
        self.stop_callbacks.append(callback)

    def route(self, service: str, handler: ServiceHandler) -> None:
        """Answer a service's whole API in place of MiniStack.

        Args:
            service: MiniStack's name of the service, for example ``"batch"``.
            handler: ``async (method, path, headers, body, query) -> (status, headers, body)``. Header names are lower
                case. It runs on the event loop with :func:`current_account` and :func:`current_region` set from the
                request's signature; blocking work goes through ``asyncio.to_thread``, which keeps both.
        """
        if service not in ministack.SERVICE_HANDLERS:
            raise ValueError(
                f"route: MiniStack has no service {service!r}; one of {sorted(ministack.SERVICE_HANDLERS)}"
            )
        ministack.SERVICE_HANDLERS[service] = handler

    def add_service(self, service: str, handler: ServiceHandler) -> None:
        """Answer the API of a service that MiniStack does not have at all.

        Args:
            service: The name that its requests are signed with, for example ``"ce"``.
            handler: As in :meth:`route`.
        """
        if service in ministack.SERVICE_HANDLERS:
            raise ValueError(f"add_service: MiniStack has {service!r}: use route() to answer in its place")
        ministack.add_service(service, handler)

    def view(self, name: str, function: Callable[[], object]) -> None:
        """Answer ``GET /_aerodrome/NAME`` with the function's result as JSON. It runs on the event loop: be quick."""
        self.views[name] = function

    def action(self, name: str, function: Callable[[dict[str, Any]], object]) -> None:
        """Answer ``POST /_aerodrome/NAME`` with what the function makes of the body, a JSON object.

        It runs on the event loop: be quick. A ValueError becomes an answer of status 400 with its text.
        """
        self.actions[name] = function

    def event_target(self, service: str, deliver: Callable[[Any], None]) -> None:
        """Deliver the events of EventBridge's rules to targets of a service, named as in ARNs.

        ``deliver`` is a :data:`aerodrome_local.events.delivery.Deliver`.
        """
        self.event_targets[service] = deliver

    def emit_event(
        self,
        account: str,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: Sequence[str] = (),
        *,
        region: str | None = None,
    ) -> None:
        """Put an event on the account's default EventBridge bus, ``aws.*`` sources included.

        May be called from any thread; returns when rules have matched, and deliveries to their targets are under way.
        """
        entry = {
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
            "Resources": list(resources),
        }

        def put() -> None:
            with ministack.request_scope(account, region or self.region):
                ministack.put_aws_event(entry)

        self.on_event_loop(put)

    def on_event_loop(self, function: Callable[[], _T]) -> _T:
        """Run a short function on the server's event loop and return its result.

        MiniStack's stores are plain dicts that the loop's handlers change: this is how another thread touches them.
        """
        loop = ministack.main_loop()
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if loop is None or loop is running:
            return function()

        async def call() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), loop).result(timeout=60)

    def state_file(self, name: str) -> Path:
        """The path of a file that an extension owns, in ``state_dir/extensions``. ``reset`` deletes it."""
        directory = self.state_dir / "extensions"
        directory.mkdir(exist_ok=True)
        return directory / name

    def read_json(self, name: str, default: _T) -> _T | Any:  # noqa: ANN401 - whatever was saved
        """What :meth:`write_json` saved under this name, or ``default``."""
        path = self.state_file(name)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else default

    def write_json(self, name: str, value: object) -> None:
        """Save a value for the next start. A reader sees the old file or the new one, never a part."""
        path = self.state_file(name)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(path)

    def child_environment(self, **extra: str) -> dict[str, str]:
        """The environment for a process that an extension starts.

        It carries the mark by which ``down`` and the next ``up`` find and end a process that outlived its server, so
        every child must be started with it (or a copy with more in it).
        """
        return {**os.environ, INSTANCE_VARIABLE: str(self.state_dir), **extra}
