"""Writing SQL safely where a statement takes no parameters: names and password verifiers."""

import base64
import hashlib
import hmac
import secrets

from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError

# NAMEDATALEN - 1: PostgreSQL cuts longer names off without an error, and two of ours might then be one.
LONGEST_NAME = 63

# PostgreSQL's own default (scram_iterations).
_SCRAM_ITERATIONS = 4096


def identifier(name: str) -> str:
    """A name as a quoted identifier.

    Raises:
        DatabaseTaskError: PostgreSQL could not have the name.
    """
    if not name or "\0" in name or len(name.encode()) > LONGEST_NAME:
        raise DatabaseTaskError(f"{name!r} cannot be a PostgreSQL name: it must have 1 to {LONGEST_NAME} bytes, no NUL")
    return '"' + name.replace('"', '""') + '"'


def verifier_literal(password: str) -> str:
    """What PostgreSQL stores for a password (SCRAM-SHA-256, RFC 5803), as a string literal.

    As with psql's own command for it, the statement, which a server may log, holds no password.

    Raises:
        DatabaseTaskError: The password is empty or not printable ASCII, for which clients would have to agree on a
            normal form (RFC 4013).
    """
    if not password or not all("!" <= character <= "~" for character in password):
        raise DatabaseTaskError("a password must be non-empty and of printable ASCII characters without spaces")
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    # Base64 has no quote and no backslash: nothing in this literal needs escaping.
    return f"'SCRAM-SHA-256${_SCRAM_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}'"
