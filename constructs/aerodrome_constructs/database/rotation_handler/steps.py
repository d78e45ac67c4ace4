"""The four steps of a rotation (Secrets Manager User Guide, "Lambda rotation function").

Each can be repeated: after a crash Secrets Manager begins with the first again, under the same version.
"""

import logging
import secrets
import string
from collections.abc import Callable, Mapping

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from aerodrome_constructs.database.provisioner_handler.connection import NotLetInError, message, open_connection
from aerodrome_constructs.database.provisioner_handler.deadline import Deadline
from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError
from aerodrome_constructs.database.provisioner_handler.sql import identifier, verifier_literal
from aerodrome_constructs.database.rotation_handler.versions import Login, Versions, credentials

logger = logging.getLogger(__name__)

# As long as the passwords that Secrets Manager made at first, and of the same characters: Flyte puts the password into
# a DSN without quoting it.
_PASSWORD_LENGTH = 40
_CHARACTERS = string.ascii_letters + string.digits


def make_password(versions: Versions, _deadline: Deadline) -> None:
    """Make a password, unless an earlier try has made it."""
    current = versions.current()
    if versions.pending() is None:
        password = "".join(secrets.choice(_CHARACTERS) for _ in range(_PASSWORD_LENGTH))
        versions.put_pending({**current, "password": password})


def set_password(versions: Versions, deadline: Deadline) -> None:
    """Give the user the new password, as the user itself, unless an earlier try has done it."""
    pending, current = _pending(versions), versions.current()
    if any(str(pending[field]) != str(current[field]) for field in ("host", "port", "username")):
        raise DatabaseTaskError(
            "the pending version names another server or user than the current one: remove its label AWSPENDING, and "
            "rotate again"
        )
    try:
        _sign_in(pending, deadline).close()
    except NotLetInError:
        _change(versions, current, pending, deadline)


def try_password(versions: Versions, deadline: Deadline) -> None:
    """Log in with the new password."""
    pending = _pending(versions)
    connection = _sign_in(pending, deadline)
    try:
        ((user,),) = connection.run("SELECT current_user") or [(None,)]
    finally:
        connection.close()
    if user != pending["username"]:
        raise DatabaseTaskError(f"the new password lets in {user!r}, not {pending['username']!r}")


def hand_over(versions: Versions, deadline: Deadline) -> None:
    """Hand the new password to the clients, if it is still the user's.

    A deploy sets the password that is current: one that ran meanwhile has taken the new one back, and this fails for
    the first step to begin again.
    """
    try_password(versions, deadline)
    versions.promote()


STEPS: Mapping[str, Callable[[Versions, Deadline], None]] = {
    "createSecret": make_password,
    "setSecret": set_password,
    "testSecret": try_password,
    "finishSecret": hand_over,
}
"""The steps by the names that Secrets Manager calls them by."""


def _pending(versions: Versions) -> Login:
    pending = versions.pending()
    if pending is None:
        raise DatabaseTaskError("the pending version has no value: the step createSecret has not run")
    return pending


def _sign_in(login: Login, deadline: Deadline) -> pg8000.native.Connection:
    database = str(login.get("dbname") or "postgres")
    return open_connection(str(login["host"]), int(login["port"]), credentials(login), deadline, database)


def _change(versions: Versions, current: Login, pending: Login, deadline: Deadline) -> None:
    try:
        connection = _sign_in(current, deadline)
    except NotLetInError:
        # A database that was restored has the password of its day.
        previous = versions.previous()
        if previous is None or str(previous["username"]) != str(current["username"]):
            raise
        connection = _sign_in({**current, "password": previous["password"]}, deadline)
    user = str(pending["username"])
    try:
        connection.run(f"ALTER ROLE {identifier(user)} PASSWORD {verifier_literal(str(pending['password']))}")
    except DatabaseError as error:
        # Without `from`: the driver's error may hold more of the statement than its message.
        raise DatabaseTaskError(f"the password of {user!r} cannot be changed: {message(error)}") from None
    except (InterfaceError, OSError) as error:
        raise DatabaseTaskError(f"the connection broke while {user!r} changed its password: {error}") from error
    finally:
        connection.close()
    logger.info("user %r has a new password", user)
