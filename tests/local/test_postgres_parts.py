"""The parts of the embedded PostgreSQL that need no server."""

import base64
import hashlib
import hmac
import re
from pathlib import Path

import pytest

from aerodrome_local.postgres import binaries, front
from aerodrome_local.postgres.binaries import Binaries, UnavailableVersionError, for_engine_version
from aerodrome_local.postgres.settings import interpret
from aerodrome_local.postgres.sql import identifier, literal, scram_verifier

KNOWN = {"max_connections": "postmaster", "work_mem": "user", "shared_buffers": "postmaster", "ssl": "sighup"}


def installed(*versions: str) -> dict[int, Binaries]:
    found = [Binaries(Path("/opt"), version) for version in versions]
    return {each.major: each for each in found}


@pytest.mark.parametrize(
    ("asked", "found"), [(None, "16.14"), ("", "16.14"), ("16", "16.14"), ("16.3", "16.14"), ("18.1", "18.4")]
)
def test_the_major_version_decides(monkeypatch: pytest.MonkeyPatch, asked: str | None, found: str) -> None:
    monkeypatch.setattr(binaries, "installed", lambda: installed("16.14", "18.4"))
    assert for_engine_version(asked).version == found


@pytest.mark.parametrize("asked", ["15.4", "17", "sixteen"])
def test_another_major_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setattr(binaries, "installed", lambda: installed("16.14", "18.4"))
    with pytest.raises(
        UnavailableVersionError, match=rf"version {asked} .* has PostgreSQL 16 \(16\.14\) and 18 \(18\.4\)"
    ):
        for_engine_version(asked)


def test_without_any_server_the_way_to_get_one_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "installed", dict)
    with pytest.raises(UnavailableVersionError, match="make setup"):
        for_engine_version("16")


def test_a_parameter_group_is_split_into_what_each_part_does() -> None:
    settings = interpret(
        {
            "max_connections": "100",
            "work_mem": "{DBInstanceClassMemory/1024}",
            "shared_buffers": "16384",
            "ssl": "0",
            "rds.force_ssl": "0",
            "rds.log_retention_period": "4320",
            "pg_stat_statements.track": "all",
        },
        KNOWN,
    )
    assert settings.server == {"max_connections": "100"}
    assert settings.requires_tls is False


def test_tls_is_required_unless_the_group_says_otherwise() -> None:
    assert interpret({}, KNOWN).requires_tls is True
    assert interpret({"rds.force_ssl": "1"}, KNOWN).requires_tls is True


@pytest.mark.parametrize(("text", "quoted"), [("plain", '"plain"'), ('a"b', '"a""b"'), ("A b", '"A b"')])
def test_names_are_quoted(text: str, quoted: str) -> None:
    assert identifier(text) == quoted


@pytest.mark.parametrize("text", ["", "nul\0"])
def test_what_cannot_be_a_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be a PostgreSQL name"):
        identifier(text)


def test_literals_are_quoted() -> None:
    assert literal("it's \\ here") == "'it''s \\ here'"


def test_the_verifier_is_what_a_client_with_the_password_proves_to_know() -> None:
    match = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)", scram_verifier("pa55word"))
    assert match
    iterations, salt, stored_key, server_key = match.groups()
    # RFC 5802, section 3, in other words than the code's.
    salted = hashlib.pbkdf2_hmac("sha256", b"pa55word", base64.b64decode(salt), int(iterations))
    client_key, expected_server_key = (
        hmac.new(salted, name, hashlib.sha256).digest() for name in (b"Client Key", b"Server Key")
    )
    assert base64.b64decode(stored_key) == hashlib.sha256(client_key).digest()
    assert base64.b64decode(server_key) == expected_server_key
    assert scram_verifier("pa55word") != match.group(0)  # salted anew


def test_two_endpoints_get_two_ports_and_a_taken_one_is_refused() -> None:
    first = front.bind(None)
    second = front.bind(None)
    try:
        ports = {each.getsockname()[1] for each in (first, second)}
        assert len(ports) == 2
        assert ports <= set(front.PORTS)
        assert {each.getsockname()[0] for each in (first, second)} == {"127.0.0.1"}
        with pytest.raises(front.PortTakenError, match="is used by another process"):
            front.bind(first.getsockname()[1])
        excluded = front.bind(None, excluding=ports | set(front.PORTS[:500]))
        assert excluded.getsockname()[1] >= front.PORTS[500]
        excluded.close()
    finally:
        first.close()
        second.close()
