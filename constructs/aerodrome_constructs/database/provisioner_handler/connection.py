"""Connections to the instance: always encrypted, to the right server only, and patient while it starts."""

import os
import socket
import ssl
import struct
import time

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from aerodrome_constructs.database.provisioner_handler.credentials import Credentials
from aerodrome_constructs.database.provisioner_handler.deadline import Deadline
from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError

CA_BUNDLE = "PGSSLROOTCERT"
"""The environment variable that names the file with the certificate authorities to trust: libpq's own for that."""

RETRY_SECONDS = 2.0
_LONGEST_HANDSHAKE = 10.0

_SSL_REQUEST = struct.pack("!II", 8, 80877103)  # PostgreSQL documentation, "Message Formats", SSLRequest

# Too many connections, and the server is starting up, shutting down or recovering: all of them pass.
_PASSING = frozenset({"53300", "57P01", "57P02", "57P03"})


# The password is wrong, or the user may not log in (PostgreSQL documentation, "PostgreSQL Error Codes", class 28).
_NOT_LET_IN = frozenset({"28000", "28P01"})


class NotLetInError(DatabaseTaskError):
    """The server knows no such user with such a password."""


def open_connection(
    host: str, port: int, credentials: Credentials, deadline: Deadline, database: str = "postgres"
) -> pg8000.native.Connection:
    """Connect to a database.

    Retries for as long as the deadline allows while the server cannot be reached or is starting. A statement on the
    connection then has what is left of the time.

    Args:
        host: The server's name, which its certificate must have.
        port: Its port.
        credentials: Who connects.
        deadline: When to give up.
        database: The database. Default: ``postgres``, which every instance has and which holds nothing.

    Raises:
        NotLetInError: The user or the password is wrong.
        DatabaseTaskError: The server refuses, cannot be verified, offers no TLS, or cannot be reached in time.
    """
    while True:
        try:
            return _sign_in(host, port, credentials, deadline, database)
        except ssl.SSLError as error:
            raise DatabaseTaskError(f"TLS with {host}:{port} failed: {error.reason or error}") from error
        except DatabaseError as error:
            state = sqlstate(error)
            if state not in _PASSING:
                refusal = NotLetInError if state in _NOT_LET_IN else DatabaseTaskError
                raise refusal(f"{host}:{port} refuses {credentials.username!r}: {message(error)}") from None
            problem = message(error)
        except (InterfaceError, OSError) as error:
            problem = str(error)
        _wait(deadline, f"cannot connect to {host}:{port}: {problem}")


def _sign_in(
    host: str, port: int, credentials: Credentials, deadline: Deadline, database: str
) -> pg8000.native.Connection:
    encrypted = _open_socket(host, port, deadline)
    try:
        return pg8000.native.Connection(
            credentials.username,
            host=host,
            database=database,
            password=credentials.password,
            sock=encrypted,
            ssl_context=False,  # TLS is on already
            application_name="aerodrome-database-functions",
        )
    except BaseException:
        encrypted.close()
        raise


def _open_socket(host: str, port: int, deadline: Deadline) -> ssl.SSLSocket:
    """Ask for TLS here rather than through the driver, which takes a server that hangs up for one that has no TLS."""
    plain = socket.create_connection((host, port), timeout=min(deadline.remaining(), _LONGEST_HANDSHAKE))
    try:
        encrypted = _encrypted(plain, host)
    except BaseException:
        plain.close()
        raise
    # Only the handshake had to be quick.
    encrypted.settimeout(deadline.remaining())
    return encrypted


def _encrypted(plain: socket.socket, host: str) -> ssl.SSLSocket:
    plain.sendall(_SSL_REQUEST)
    answer = plain.recv(1)
    if answer == b"N":
        raise DatabaseTaskError(f"{host} offers no TLS, and no password is sent without")
    if answer != b"S":
        raise ConnectionError("the server hung up")
    return tls_context().wrap_socket(plain, server_hostname=host)


def tls_context() -> ssl.SSLContext:
    """TLS 1.2 or later, to a server with a certificate for its name by an authority that the function was given.

    Raises:
        DatabaseTaskError: It was given none.
    """
    bundle = os.environ.get(CA_BUNDLE)
    try:
        # RDS's authorities are in no trust store: without a file there is nothing to verify against.
        context = ssl.create_default_context(cafile=bundle) if bundle else None
    except (OSError, ssl.SSLError) as error:
        raise DatabaseTaskError(
            f"{CA_BUNDLE} names {bundle}, which holds no certificate authorities: {error}"
        ) from error
    if context is None:
        raise DatabaseTaskError(f"{CA_BUNDLE} is not set: the server could not be verified, and no password is sent")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # On by default from Python 3.13 on: it refuses certificates for the form of their extensions, and RDS's are not
    # ours to mend. Chain, name and time are verified without it, as libpq and Go do.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def sqlstate(error: DatabaseError) -> str:
    """The five characters that say what kind of error the server reports."""
    fields = error.args[0] if error.args else {}
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""


def message(error: DatabaseError) -> str:
    """The server's own words, without the statement and without its values."""
    fields = error.args[0] if error.args else {}
    return f"{fields.get('M')} (SQLSTATE {fields.get('C')})" if isinstance(fields, dict) else "unknown error"


def _wait(deadline: Deadline, problem: str) -> None:
    try:
        time.sleep(min(RETRY_SECONDS, deadline.remaining()))
        deadline.remaining()
    except DatabaseTaskError as error:
        raise DatabaseTaskError(problem) from error
