"""What the database provisioner refuses, what it says of it, and what it never says."""

import json
import logging
import socket
from pathlib import Path

import pytest

from aerodrome_constructs.database.provisioner_handler import connection as connections
from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.certificate_authorities import ca_bundle
from tests.local.rds.instances import Connect, Instance
from tests.local.rds.provisioning import Client, Provisioner


def test_a_run_that_holds_the_lock_is_waited_for_no_longer_than_there_is_time(
    provisioner: Provisioner, shared: Instance, connect: Connect
) -> None:
    holder = connect(shared, database="postgres")
    holder.run("SELECT pg_advisory_lock(:key)", key=int.from_bytes(b"aerodrom", "big"))
    answer = provisioner.run(provisioner.client("waiting"), seconds=16)
    holder.close()
    assert answer["Status"] == "FAILED"
    assert "another run has not ended" in answer["Reason"]


def test_a_wrong_master_password_fails_and_no_secret_is_told(
    provisioner: Provisioner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="aerodrome_constructs")
    client = provisioner.client("never")
    provisioner.master_arn = provisioner.secret("platform", "wrong-master-password")
    answer = provisioner.run(client)
    assert answer["Status"] == "FAILED"
    assert "password authentication failed" in answer["Reason"]
    told = json.dumps(answer) + caplog.text
    assert "wrong-master-password" not in told
    assert client.password not in told
    assert "signature=of-CloudFormation" not in told


def test_no_password_is_told_when_all_goes_well(provisioner: Provisioner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="aerodrome_constructs")
    client = provisioner.client("quiet")
    told = json.dumps(provisioner.run(client)) + caplog.text
    assert "quiet" in caplog.text
    assert client.password not in told
    assert "0123456789abcdefABCDEF" not in told


def test_the_servers_log_holds_no_password_even_of_a_statement_that_fails(
    provisioner: Provisioner, shared: Instance, databases_directory: Path
) -> None:
    client = provisioner.client("unlogged", "pg_monitor")
    answer = provisioner.run(client)
    assert answer["Status"] == "FAILED"
    assert 'role name "pg_monitor" is reserved' in answer["Reason"]
    log = (databases_directory / shared["DbiResourceId"] / "postgres.log").read_text()
    assert 'STATEMENT:  ALTER ROLE "pg_monitor"' in log
    assert client.password not in log


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not json: hunter2", "must be JSON with username and password"),
        ('{"username": "broken"}', "must be JSON with username and password"),
        ('{"username": "somebody", "password": "hunter2"}', "is of user 'somebody', the client's is 'broken'"),
        ('{"username": "broken", "password": "hunter 2"}', "printable ASCII characters without spaces"),
    ],
)
def test_a_secret_that_does_not_fit_is_named_and_not_shown(
    provisioner: Provisioner, embedded_aws: EmbeddedAws, text: str, complaint: str
) -> None:
    client = provisioner.client("broken")
    embedded_aws.client("secretsmanager").put_secret_value(SecretId=client.secret_arn, SecretString=text)
    answer = provisioner.run(client)
    assert answer["Status"] == "FAILED"
    assert complaint in answer["Reason"]
    assert "hunter" not in json.dumps(answer)


def test_a_secret_that_cannot_be_read_stops_the_run_before_anything_is_made(
    provisioner: Provisioner, shared: Instance, connect: Connect
) -> None:
    missing = Client("unmade", "unmade", "", "arn:aws:secretsmanager:us-east-1:111122223333:secret:missing-AbCdEf")
    answer = provisioner.run(provisioner.client("unmade_before"), missing)
    assert answer["Status"] == "FAILED"
    assert "cannot read the secret" in answer["Reason"]
    assert "ResourceNotFoundException" in answer["Reason"]
    master = connect(shared, database="postgres")
    assert master.run("SELECT datname FROM pg_database WHERE datname LIKE 'unmade%'") == []
    master.close()


def test_users_that_are_more_than_a_client_are_refused(
    provisioner: Provisioner, shared: Instance, connect: Connect
) -> None:
    master = connect(shared, database="postgres")
    master.run("DROP ROLE IF EXISTS too_much")
    master.run("CREATE ROLE too_much LOGIN IN ROLE rds_superuser")
    master.close()
    answer = provisioner.run(provisioner.client("too_much"))
    assert answer["Status"] == "FAILED"
    assert "user 'too_much' exists and is a member of rds_superuser" in answer["Reason"]

    answer = provisioner.run(Client("platform", "platform", "", provisioner.master_arn))
    assert answer["Status"] == "FAILED"
    assert "'platform' is the master user" in answer["Reason"]


def test_an_instance_that_cannot_be_reached_fails_within_the_time(provisioner: Provisioner) -> None:
    answer = provisioner.run(provisioner.client("unreached"), seconds=15.5, changes={"Port": "1"})
    assert answer["Status"] == "FAILED"
    assert "cannot connect to 127.0.0.1:1" in answer["Reason"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"Port": "many"}, "Port must be a number"),
        ({"Clients": ["flyteadmin"]}, "Clients a list of Database, Username and SecretArn"),
        ({"Clients": [{"Database": "a", "Username": "a"}]}, "no property SecretArn"),
    ],
)
def test_malformed_properties_are_said_to_be(
    provisioner: Provisioner, changes: dict[str, object], complaint: str
) -> None:
    answer = provisioner.run(changes=changes)
    assert answer["Status"] == "FAILED"
    assert complaint in answer["Reason"]


def test_two_clients_cannot_share_a_user(provisioner: Provisioner) -> None:
    answer = provisioner.run(provisioner.client("share_one", "same"), provisioner.client("share_two", "same"))
    assert answer["Status"] == "FAILED"
    assert "each client needs a Username of its own" in answer["Reason"]


def test_a_certificate_of_another_authority_is_refused(
    provisioner: Provisioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the function would trust on AWS.
    monkeypatch.setenv(connections.CA_BUNDLE, str(ca_bundle("us-east-1")))
    answer = provisioner.run(provisioner.client("unverified"))
    assert answer["Status"] == "FAILED"
    assert "CERTIFICATE_VERIFY_FAILED" in answer["Reason"]


def test_a_certificate_of_another_server_is_refused(provisioner: Provisioner, monkeypatch: pytest.MonkeyPatch) -> None:
    # The right authority and the right address, under a name that the certificate does not have.
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: resolve("127.0.0.1", *rest, **more),  # noqa: ARG005 - any
    )
    answer = provisioner.run(provisioner.client("impostor"), changes={"Host": "database.example.com"})
    assert answer["Status"] == "FAILED"
    assert "CERTIFICATE_VERIFY_FAILED" in answer["Reason"]


@pytest.mark.parametrize("bundle", ["", "no-such-file.pem"])
def test_nothing_is_sent_to_a_server_that_cannot_be_verified(
    provisioner: Provisioner, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    monkeypatch.setenv(connections.CA_BUNDLE, bundle)
    answer = provisioner.run(provisioner.client("blind"))
    assert answer["Status"] == "FAILED"
    assert "PGSSLROOTCERT" in answer["Reason"]
