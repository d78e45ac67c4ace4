"""The certificate authority of one embedded AWS, which plays the part of Amazon RDS's, and its server certificate."""

import os
import ssl
from pathlib import Path

NAMES = ("localhost",)
ADDRESSES = ("127.0.0.1",)
AUTHORITY_FILE = "rds-ca.pem"


def server_context(directory: Path) -> ssl.SSLContext:
    """The TLS context that database endpoints use, made from files in ``directory``, which are made when absent.

    ``rds-ca.pem`` there is what a client that verifies must trust, as it would trust AWS's bundle. It stays the same
    until the state is reset.

    Raises:
        RuntimeError: The ``cryptography`` package, with which certificates are made, is not installed.
    """
    authority, certificate, key = (directory / name for name in (AUTHORITY_FILE, "server.pem", "server.key"))
    if not (authority.exists() and certificate.exists() and key.exists()):
        from ministack.core import x509_utils  # noqa: PLC0415 - of the embedded AWS's own environment

        # MiniStack's own helpers make what a strict verifier accepts (key identifiers, key usage).
        authority_pem, authority_key = x509_utils.generate_ca("Aerodrome", "Embedded AWS RDS Root CA RSA2048")
        certificate_pem, key_pem, _ = x509_utils.sign_leaf_certificate(
            authority_pem, authority_key, common_name=NAMES[0], san_dns=list(NAMES), san_ips=list(ADDRESSES)
        )
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The authority's own key is not kept: it signs once. The authority comes last: it marks the set as complete.
        _write(key, key_pem, 0o600)
        _write(certificate, certificate_pem, 0o644)
        _write(authority, authority_pem, 0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # as RDS for PostgreSQL 16
    context.load_cert_chain(certificate, key)
    return context


def _write(path: Path, text: str, mode: int) -> None:
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
        file.write(text)
    temporary.replace(path)
