"""Connections to the instance: always encrypted, and patient while it starts."""

import socket
import ssl
import struct
import time
from pathlib import Path

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from aerodrome_constructs.database.provisioner_handler.credentials import Credentials
from aerodrome_constructs.database.provisioner_handler.deadline import Deadline
from aerodrome_constructs.database.provisioner_handler.errors import ProvisioningError

CA_BUNDLE = Path(__file__).with_name("ca-bundle.pem")
"""The certificate authorities that the server's certificate is verified against, where the asset has them."""

RETRY_SECONDS = 2.0
_LONGEST_HANDSHAKE = 10.0

_SSL_REQUEST = struct.pack("!II", 8, 80877103)  # PostgreSQL documentation, "Message Formats", SSLRequest

# Too many connections, and the server is starting up, shutting down or recovering: all of them pass.
_PASSING = frozenset({"53300", "57P01", "57P02", "57P03"})


def open_connection(host: str, port: int, credentials: Credentials, deadline: Deadline) -> pg8000.native.Connection:
    """Connect to the database ``postgres``, which every instance has and which holds nothing.

    Retries for as long as the deadline allows while the server cannot be reached or is starting. A statement on the
    connection then has what is left of the time.

    Raises:
        ProvisioningError: The server refuses, offers no TLS, or cannot be reached in time.
    """
    while True:
        try:
            return _sign_in(host, port, credentials, deadline)
        except ssl.SSLError as error:
            raise ProvisioningError(f"TLS with {host}:{port} failed: {error.reason or error}") from error
        except DatabaseError as error:
            if sqlstate(error) not in _PASSING:
                raise ProvisioningError(f"{host}:{port} refuses {credentials.username!r}: {message(error)}") from None
            problem = message(error)
        except (InterfaceError, OSError) as error:
            problem = str(error)
        _wait(deadline, f"cannot connect to {host}:{port}: {problem}")


def _sign_in(host: str, port: int, credentials: Credentials, deadline: Deadline) -> pg8000.native.Connection:
    encrypted = _open_socket(host, port, deadline)
    try:
        return pg8000.native.Connection(
            credentials.username,
            host=host,
            database="postgres",
            password=credentials.password,
            sock=encrypted,
            ssl_context=False,  # TLS is on already
            application_name="aerodrome-database-provisioner",
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
        raise ProvisioningError(f"{host} offers no TLS, and no password is sent without")
    if answer != b"S":
        raise ConnectionError("the server hung up")
    return tls_context().wrap_socket(plain, server_hostname=host)


def tls_context() -> ssl.SSLContext:
    """TLS 1.2 or later, verified where the asset holds a bundle of certificate authorities.

    RDS's authorities are in no trust store, so without a bundle there is nothing to verify against. The connection is
    encrypted then, and the instance is known by its address in the VPC and by its security group.
    """
    if CA_BUNDLE.exists():
        context = ssl.create_default_context(cafile=str(CA_BUNDLE))
    else:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
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
    except ProvisioningError as error:
        raise ProvisioningError(problem) from error
