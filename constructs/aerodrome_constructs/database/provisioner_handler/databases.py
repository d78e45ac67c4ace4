"""Databases and their users. Everything may be repeated, and goes on where an earlier run stopped."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from aerodrome_constructs.database.provisioner_handler.connection import message
from aerodrome_constructs.database.provisioner_handler.credentials import Credentials
from aerodrome_constructs.database.provisioner_handler.deadline import Deadline
from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError
from aerodrome_constructs.database.provisioner_handler.request import Client
from aerodrome_constructs.database.provisioner_handler.sql import identifier, verifier_literal

logger = logging.getLogger(__name__)

# "aerodrome" in ASCII, cut to 63 bits: a key that no other program is likely to have chosen.
_LOCK = int.from_bytes(b"aerodrome"[:8], "big") & 0x7FFF_FFFF_FFFF_FFFF

# Attributes that PostgreSQL 16 lets only a superuser, or a role that has them, take away again.
_REFUSED_ATTRIBUTES = {
    "rolsuper": "SUPERUSER",
    "rolreplication": "REPLICATION",
    "rolbypassrls": "BYPASSRLS",
    "administers": "a member of rds_superuser",
}

# Seconds by which the server gives up before the socket does, so that it can say what it waited for.
_HEAD_START = 0.5


@contextmanager
def exclusive(connection: pg8000.native.Connection, deadline: Deadline) -> Iterator[None]:
    """Keep every other run on this instance waiting. The connection, and the lock with it, is closed at the end.

    Raises:
        DatabaseTaskError: Another run did not end in time.
    """
    milliseconds = max(int((deadline.remaining() - _HEAD_START) * 1000), 1)
    try:
        # Of both: a statement of ours may neither outlive the function nor wait for a lock that long.
        connection.run(f"SET statement_timeout = {milliseconds}")
        connection.run(f"SET lock_timeout = {milliseconds}")
        try:
            connection.run("SELECT pg_advisory_lock(:key)", key=_LOCK)
        except DatabaseError as error:
            raise DatabaseTaskError(f"another run has not ended: {message(error)}") from None
        yield
    finally:
        with suppress(InterfaceError, OSError):  # a connection that broke is closed
            connection.close()


def close_to_the_public(connection: pg8000.native.Connection) -> None:
    """Keep clients out of the database ``postgres``, into which PostgreSQL lets everybody who can log in.

    Only its owner can: on RDS that is the master user. Where it is not, PostgreSQL warns, and nothing changes.
    """
    connection.run("REVOKE ALL ON DATABASE postgres FROM PUBLIC")


def provision(connection: pg8000.native.Connection, master: str, client: Client, credentials: Credentials) -> None:
    """Make a client's user and database, or bring them to what they should be.

    The user can log in and nothing else; it owns its database. Nobody else may connect to that database.

    Args:
        connection: As the master user.
        master: The master user's name.
        client: What to make.
        credentials: The user's name and password.

    Raises:
        DatabaseTaskError: PostgreSQL refuses, or what is there already belongs to somebody else.
    """
    if credentials.username != client.username:
        raise DatabaseTaskError(
            f"the secret {client.secret_arn} is of user {credentials.username!r}, the client's is {client.username!r}"
        )
    if client.username == master:
        raise DatabaseTaskError(f"{master!r} is the master user: give the database {client.database!r} its own user")
    try:
        _provision_user(connection, client.username, credentials.password)
        _provision_database(connection, client.database, client.username)
    except DatabaseError as error:
        # Without `from`: the driver's error may hold more of the statement than its message.
        raise DatabaseTaskError(
            f"database {client.database!r} with user {client.username!r}: {message(error)}"
        ) from None
    except (InterfaceError, OSError) as error:
        raise DatabaseTaskError(
            f"database {client.database!r} with user {client.username!r}: the connection broke: {error}"
        ) from error
    logger.info("database %r with user %r stands", client.database, client.username)


def _provision_user(connection: pg8000.native.Connection, name: str, password: str) -> None:
    user, verifier = identifier(name), verifier_literal(password)
    found = _one(
        connection,
        "SELECT rolsuper, rolreplication, rolbypassrls, "
        "pg_has_role(oid, (SELECT oid FROM pg_roles WHERE rolname = 'rds_superuser'), 'MEMBER') AS administers "
        "FROM pg_roles WHERE rolname = :name",
        name=name,
    )
    if found is None:
        connection.run(f"CREATE ROLE {user} LOGIN NOCREATEDB NOCREATEROLE PASSWORD {verifier}")
    else:
        excess = [meaning for attribute, meaning in _REFUSED_ATTRIBUTES.items() if found[attribute]]
        if excess:
            raise DatabaseTaskError(
                f"user {name!r} exists and is {' and '.join(excess)}: take that from it, or give the client another "
                "user name"
            )
        connection.run(f"ALTER ROLE {user} LOGIN NOCREATEDB NOCREATEROLE PASSWORD {verifier}")
    # The maker of a role may administer it, no more. To make the role's database it must also be able to become it.
    connection.run(f"GRANT {user} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")


def _provision_database(connection: pg8000.native.Connection, name: str, owner: str) -> None:
    database, user = identifier(name), identifier(owner)
    found = _one(
        connection, "SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = :name", name=name
    )
    if found is None:
        connection.run(f"CREATE DATABASE {database} OWNER {user}")
    elif found["owner"] != owner:
        logger.info("database %r goes from %r to %r", name, found["owner"], owner)
        connection.run(f"ALTER DATABASE {database} OWNER TO {user}")
    # By default PUBLIC may connect and make temporary tables. Only what the owner revokes is revoked.
    connection.run(f"SET ROLE {user}")
    try:
        connection.run(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    finally:
        connection.run("RESET ROLE")


def _one(connection: pg8000.native.Connection, statement: str, **values: str) -> dict[str, Any] | None:
    rows = connection.run(statement, **values)
    if not rows:
        return None
    return dict(zip((column["name"] for column in connection.columns or ()), rows[0], strict=True))
