"""The databases of one embedded AWS: for each RDS instance a server and the endpoint before it."""

import json
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aerodrome_local.postgres import binaries, certificates
from aerodrome_local.postgres.front import Front, bind
from aerodrome_local.postgres.server import Server
from aerodrome_local.postgres.settings import interpret


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """What an RDS instance asks of its PostgreSQL.

    Attributes:
        resource_id: The instance's ``DbiResourceId``, which no later instance of the same name has: its data directory.
        engine_version: For example ``"16.14"``. The major version counts, see
            :func:`aerodrome_local.postgres.binaries.for_engine_version`.
        username: The master user.
        password: The master user's password.
        database: The database to make at first; None for none.
        parameters: The user-set parameters of its DB parameter group.
    """

    resource_id: str
    engine_version: str
    username: str
    password: str
    database: str | None
    parameters: Mapping[str, str]


class Instances:
    """Starts, stops and removes databases. Safe to use from several threads; operations on one instance queue up.

    Args:
        directory: Below it each instance has a directory, and the certificate authority has its files.
        environment: The environment of the servers' processes.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = environment
        self._servers: dict[str, Server] = {}
        self._fronts: dict[str, Front] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._lock = threading.RLock()

    @property
    def authority(self) -> Path:
        """The certificate that a client trusts to verify these databases; it exists once there was an instance."""
        return self._directory / "tls" / certificates.AUTHORITY_FILE

    def listen(self, specification: Specification) -> int:
        """Open the instance's endpoint, which says that the server is starting up until it is.

        Returns:
            The port on 127.0.0.1: the one that the instance has had, or a free one that it keeps from now on.

        Raises:
            OSError: The port is taken, or none is free.
        """
        resource_id = specification.resource_id
        with self._lock:
            if front := self._fronts.get(resource_id):
                return front.port
            file = self._endpoint_file(resource_id)
            port = _port(file)
            kept = {_port(other) for other in self._directory.glob("*/endpoint.json")}
            listener = bind(port, excluding={number for number in kept if number is not None})
            context = certificates.server_context(self._directory / "tls")
            server = self._server(specification)
            settings = interpret(specification.parameters, binaries.parameters(server.binaries))
            front = Front(listener, context, server.socket, requires_tls=settings.requires_tls)
            if port is None:
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                file.write_text(json.dumps({"port": front.port}), encoding="utf-8")
            self._fronts[resource_id] = front
            return front.port

    def start(self, specification: Specification) -> int:
        """Start the instance's server, making its data directory at first. Returns the endpoint's port.

        Raises:
            OSError: Its port is taken.
            ServerError: The server does not start.
            UnavailableVersionError: There is no server of that version.
        """
        resource_id = specification.resource_id
        with self._of(resource_id):
            port = self.listen(specification)
            server = self._server(specification)
            if not server.running:
                settings = interpret(specification.parameters, binaries.parameters(server.binaries))
                self._fronts[resource_id].requires_tls = settings.requires_tls
                server.start(
                    settings.server,
                    username=specification.username,
                    password=specification.password,
                    database=specification.database,
                )
            return port

    def set_password(self, specification: Specification) -> None:
        """Give the master user the specification's password, at once."""
        with self._of(specification.resource_id):
            self._server(specification).set_password(specification.username, specification.password)

    def reconfigure(self, specification: Specification) -> list[str]:
        """Apply the specification's parameters. Returns those whose change waits for a restart.

        Raises:
            ServerError: A value is not valid; nothing is changed.
        """
        with self._of(specification.resource_id):
            server = self._server(specification)
            settings = interpret(specification.parameters, binaries.parameters(server.binaries))
            pending = server.reconfigure(settings.server)
            self._fronts[specification.resource_id].requires_tls = settings.requires_tls
            return pending

    def stop(self, resource_id: str) -> None:
        """Close the endpoint and stop the server. The data stay."""
        with self._of(resource_id):
            with self._lock:
                front, server = self._fronts.pop(resource_id, None), self._servers.pop(resource_id, None)
            if front:
                front.close()
            if server:
                server.stop()

    def remove(self, resource_id: str) -> None:
        """Stop the instance and delete its data."""
        with self._of(resource_id):
            self.stop(resource_id)
            shutil.rmtree(self._directory / resource_id, ignore_errors=True)

    def stop_all(self) -> None:
        """Stop every instance, all at once: the embedded AWS has a few seconds to end."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.stop, {*self._servers, *self._fronts}))

    def _of(self, resource_id: str) -> threading.RLock:
        with self._lock:
            return self._locks.setdefault(resource_id, threading.RLock())

    def _server(self, specification: Specification) -> Server:
        with self._lock:
            resource_id = specification.resource_id
            if resource_id not in self._servers:
                installed = binaries.for_engine_version(specification.engine_version)
                self._servers[resource_id] = Server(self._directory / resource_id, installed, self._environment)
            return self._servers[resource_id]

    def _endpoint_file(self, resource_id: str) -> Path:
        return self._directory / resource_id / "endpoint.json"


def _port(file: Path) -> int | None:
    try:
        return int(json.loads(file.read_text(encoding="utf-8"))["port"])
    except FileNotFoundError:
        return None
