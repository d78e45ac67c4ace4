"""Writing SQL safely where a statement takes no parameters: names, literals and password verifiers."""

import base64
import hashlib
import hmac
import secrets

_SCRAM_ITERATIONS = 4096
"""PostgreSQL's own default (scram_iterations)."""


def identifier(name: str) -> str:
    """A name as a quoted identifier.

    Raises:
        ValueError: The name is empty or holds a NUL, which no PostgreSQL name may.
    """
    if not name or "\0" in name:
        raise ValueError(f"{name!r} cannot be a PostgreSQL name: it must be non-empty and hold no NUL")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal, for the server's default of ``standard_conforming_strings = on``.

    Raises:
        ValueError: The text holds a NUL.
    """
    if "\0" in text:
        raise ValueError("a PostgreSQL string cannot hold a NUL")
    return "'" + text.replace("'", "''") + "'"


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password (RFC 5803), so that no statement and no log holds the password itself."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
