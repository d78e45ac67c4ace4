"""The network endpoint of a database: TLS on 127.0.0.1 before a PostgreSQL that was built without OpenSSL.

It speaks the start of PostgreSQL's protocol (documentation, "Message Formats": SSLRequest, GSSENCRequest,
CancelRequest, StartupMessage), then passes bytes between the client and the server's unix socket.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Collection
from pathlib import Path

ADDRESS = "127.0.0.1"
PORTS = range(15432, 16432)
"""Where endpoints are chosen from: below the ports that Linux gives to outgoing connections (32768 and up), so that a
port stays free while the embedded AWS is down."""

ADMINISTRATOR = "rdsadmin"
"""The server's superuser. As on RDS, nobody can log in as it through the endpoint."""

_SSL_REQUEST = 80877103
_GSS_ENCRYPTION_REQUEST = 80877104
_CANCEL_REQUEST = 80877102
_LARGEST_STARTUP_PACKET = 10_000  # MAX_STARTUP_PACKET_LENGTH in PostgreSQL's libpq/pqcomm.h
_START_SECONDS = 60.0  # authentication_timeout's default: how long a client may take to say who it is
_CHUNK = 1 << 16


class PortTakenError(OSError):
    """The port that an instance has had so far now belongs to another process."""


def bind(port: int | None, excluding: Collection[int] = ()) -> socket.socket:
    """A listening socket on a free port that is not in ``excluding``, or on ``port`` if one is given.

    Raises:
        PortTakenError: ``port`` is in use, or no port of :data:`PORTS` is free.
    """
    for candidate in (each for each in PORTS if each not in excluding) if port is None else (port,):
        # Named for the sake of asyncio's TCP_NODELAY, as in aerodrome_local.server.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, candidate))
            listener.listen(128)
        except OSError:
            listener.close()
        else:
            listener.settimeout(0)  # asyncio wants sockets that never block
            return listener
    if port is None:
        raise PortTakenError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free on {ADDRESS} for a database")
    raise PortTakenError(
        f"port {port} on {ADDRESS}, the database's address so far, is used by another process: end that process, "
        "then start the DB instance again"
    )


class Front:
    """One database's endpoint. It runs on an event loop of its own, as the server it stands before does.

    Attributes:
        port: The port on 127.0.0.1.
        requires_tls: Whether a connection without TLS is refused (``rds.force_ssl``). May be changed at any time; it
            holds for new connections.
    """

    def __init__(self, listener: socket.socket, context: ssl.SSLContext, server: Path, *, requires_tls: bool) -> None:
        self.port: int = listener.getsockname()[1]
        self.requires_tls = requires_tls
        self._listener = listener
        self._context = context
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name=f"postgres-front-{self.port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and end every connection."""
        with contextlib.suppress(RuntimeError):  # the loop has already ended
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        endpoint = self._loop.run_until_complete(asyncio.start_server(self._accept, sock=self._listener))
        self._loop.run_forever()
        endpoint.close()
        for task in self._connections:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._connections, return_exceptions=True))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the client went away, spoke no TLS or took too long: nobody is left to tell
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_START_SECONDS):
            encrypted, packet = await self._start(reader, writer)
        code = _code(packet)
        if code != _CANCEL_REQUEST and (refusal := self._refusal(packet, encrypted=encrypted)):
            writer.write(_fatal(*refusal))
            await writer.drain()
            return
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(str(self._server))
        except OSError:
            writer.write(_fatal("57P03", "the database system is starting up"))
            await writer.drain()
            return
        try:
            server_writer.write(packet)
            # Either side's end ends both: PostgreSQL has no half-open connections.
            pumps = [asyncio.ensure_future(_pump(*way)) for way in ((reader, server_writer), (server_reader, writer))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            server_writer.close()

    async def _start(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[bool, bytes]:
        """Agree on encryption. Returns whether TLS is on, and the client's StartupMessage or CancelRequest."""
        encrypted = False
        while True:
            packet = await _read_packet(reader)
            code = _code(packet)
            if code == _GSS_ENCRYPTION_REQUEST:
                writer.write(b"N")
            elif code == _SSL_REQUEST and not encrypted:
                writer.write(b"S")
                await writer.start_tls(self._context)
                encrypted = True
            else:
                return encrypted, packet

    def _refusal(self, packet: bytes, *, encrypted: bool) -> tuple[str, str] | None:
        """SQLSTATE and message when this client must not reach the server, in the words of PostgreSQL itself."""
        fields = packet[8:].split(b"\0")
        options = dict(zip(fields[::2], fields[1::2], strict=False))
        user = options.get(b"user", b"").decode(errors="replace")
        database = (options.get(b"database") or options.get(b"user", b"")).decode(errors="replace")
        encryption = "SSL encryption" if encrypted else "no encryption"
        if user == ADMINISTRATOR or (self.requires_tls and not encrypted):
            who = f'host "{ADDRESS}", user "{user}", database "{database}", {encryption}'
            return "28000", f"no pg_hba.conf entry for {who}"
        return None


async def _read_packet(reader: asyncio.StreamReader) -> bytes:
    header = await reader.readexactly(4)
    (length,) = struct.unpack("!I", header)
    if not 8 <= length <= _LARGEST_STARTUP_PACKET:  # noqa: PLR2004 - length and code, four bytes each
        raise ConnectionError("not PostgreSQL's protocol")
    return header + await reader.readexactly(length - 4)


def _code(packet: bytes) -> int:
    return int(struct.unpack_from("!I", packet, 4)[0])


def _fatal(sqlstate: str, message: str) -> bytes:
    fields = b"".join(
        kind + value.encode() + b"\0"
        for kind, value in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", sqlstate), (b"M", message))
    )
    return b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0"


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        sink.write(data)
        await sink.drain()
