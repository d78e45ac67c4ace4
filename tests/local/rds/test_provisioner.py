"""The database provisioner's Lambda handler against a real PostgreSQL, as CloudFormation would call it."""

import http.server
import json
import logging
import secrets
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pg8000.native
import pytest

from aerodrome_constructs.database.provisioner_handler import connection as connections
from aerodrome_constructs.database.provisioner_handler.handler import handle
from aerodrome_local.testing import EmbeddedAws

Instance = dict[str, Any]
Connect = Callable[..., pg8000.native.Connection]


@dataclass
class CloudFormation:
    """Receives the handler's answers on loopback."""

    url: str
    answers: list[dict[str, Any]] = field(default_factory=list)
    content_types: list[str | None] = field(default_factory=list)
    refusals: int = 0


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.refusals:
                receiver.refusals -= 1
                self.send_error(503)
                return
            receiver.answers.append(json.loads(body))
            receiver.content_types.append(self.headers["Content-Type"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = CloudFormation(f"http://127.0.0.1:{server.server_address[1]}/answer?signature=of-CloudFormation")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield receiver
    server.shutdown()
    server.server_close()


class Context:
    """Lambda's, with the time that a test gives."""

    def __init__(self, seconds: float) -> None:
        self._milliseconds = int(seconds * 1000)

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


@dataclass
class Client:
    """A client of the database and its password."""

    database: str
    username: str
    password: str
    secret_arn: str


class Provisioner:
    """Calls the handler for one instance."""

    def __init__(self, instance: Instance, cloudformation: CloudFormation, secrets_manager: Any) -> None:  # noqa: ANN401
        self._endpoint = instance["Endpoint"]
        self._cloudformation = cloudformation
        self._secrets_manager = secrets_manager
        self.master_arn = self.secret("platform", "0123456789abcdefABCDEF")

    def secret(self, username: str, password: str) -> str:
        """Makes a secret and returns its ARN."""
        return str(
            self._secrets_manager.create_secret(
                Name=f"provisioner-{secrets.token_hex(6)}",
                SecretString=json.dumps({"username": username, "password": password}),
            )["ARN"]
        )

    def client(self, database: str, username: str | None = None) -> Client:
        """Makes a client with a secret of its own."""
        password = secrets.token_hex(20)
        name = username or database
        return Client(database, name, password, self.secret(name, password))

    def change_password(self, client: Client) -> None:
        """Gives a client's secret another password."""
        client.password = secrets.token_hex(20)
        text = json.dumps({"username": client.username, "password": client.password})
        self._secrets_manager.put_secret_value(SecretId=client.secret_arn, SecretString=text)

    def run(
        self,
        *clients: Client,
        request_type: str = "Create",
        seconds: float = 60,
        changes: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        """Calls the handler and returns what it answered."""
        properties = {
            "Host": self._endpoint["Address"],
            "Port": str(self._endpoint["Port"]),
            "MasterSecretArn": self.master_arn,
            "Clients": [
                {"Database": each.database, "Username": each.username, "SecretArn": each.secret_arn} for each in clients
            ],
        }
        event: Mapping[str, Any] = {
            "RequestType": request_type,
            "ResponseURL": self._cloudformation.url,
            "StackId": "arn:aws:cloudformation:us-east-1:111122223333:stack/database/1",
            "RequestId": secrets.token_hex(8),
            "LogicalResourceId": "Databases",
            "ResourceProperties": {**properties, **(changes or {})},
        }
        handle(event, Context(seconds))
        answer = self._cloudformation.answers[-1]
        assert answer["RequestId"] == event["RequestId"]
        return answer


@pytest.fixture
def provisioner(
    shared: Instance,
    cloudformation: CloudFormation,
    embedded_aws: EmbeddedAws,
    monkeypatch: pytest.MonkeyPatch,
    databases_directory: Path,
) -> Provisioner:
    """Runs the handler with the credentials that Lambda would give it, verifying the instance's certificate."""
    for name, value in {
        "AWS_ENDPOINT_URL": embedded_aws.endpoint,
        "AWS_ACCESS_KEY_ID": embedded_aws.account,
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": embedded_aws.region,
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(connections, "CA_BUNDLE", databases_directory / "tls" / "rds-ca.pem")
    monkeypatch.setattr(connections, "RETRY_SECONDS", 0.05)
    return Provisioner(shared, cloudformation, embedded_aws.client("secretsmanager"))


@pytest.fixture
def sign_in(shared: Instance, connect: Connect) -> Callable[..., pg8000.native.Connection]:
    """Connects as a client, to its own database unless told otherwise."""

    def connection(client: Client, database: str | None = None) -> pg8000.native.Connection:
        return connect(shared, user=client.username, password=client.password, database=database or client.database)

    return connection


def refusal(connection: pg8000.native.Connection, statement: str) -> str:
    """The SQLSTATE with which the server refuses a statement."""
    with pytest.raises(pg8000.native.DatabaseError) as caught:
        connection.run(statement)
    return str(caught.value.args[0]["C"])


PERMISSION_DENIED = "42501"


def test_each_client_gets_a_database_that_it_can_use(provisioner: Provisioner, sign_in: Connect) -> None:
    clients = [provisioner.client("fresh_one"), provisioner.client("fresh_two", "fresh_two_user")]
    answer = provisioner.run(*clients)
    assert (answer["Status"], answer["Data"]) == ("SUCCESS", {"Databases": "fresh_one,fresh_two"})
    for client in clients:
        connection = sign_in(client)
        connection.run("CREATE TABLE records (id int); INSERT INTO records VALUES (1)")
        connection.run("CREATE SCHEMA own")
        assert connection.run("SELECT count(*) FROM records") == [[1]]
        connection.close()


def test_a_client_can_do_nothing_beyond_its_database(provisioner: Provisioner, sign_in: Connect) -> None:
    one, two = provisioner.client("least_one"), provisioner.client("least_two")
    assert provisioner.run(one, two)["Status"] == "SUCCESS"
    for client, other in ((one, two), (two, one)):
        with pytest.raises(pg8000.native.DatabaseError, match="permission denied for database"):
            sign_in(client, other.database)
        connection = sign_in(client)
        assert refusal(connection, "CREATE DATABASE more") == PERMISSION_DENIED
        assert refusal(connection, "CREATE ROLE more") == PERMISSION_DENIED
        assert refusal(connection, f"ALTER ROLE {other.username} PASSWORD 'x'") == PERMISSION_DENIED
        assert refusal(connection, f"SET ROLE {other.username}") == PERMISSION_DENIED
        assert refusal(connection, f"GRANT {other.username} TO {client.username}") == PERMISSION_DENIED
        attributes = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        assert connection.run(f"SELECT {attributes} FROM pg_roles WHERE rolname = current_user") == [[False] * 5]  # noqa: S608
        connection.close()


def test_repeating_changes_nothing(provisioner: Provisioner, sign_in: Connect) -> None:
    client = provisioner.client("repeated")
    assert provisioner.run(client)["Status"] == "SUCCESS"
    connection = sign_in(client)
    connection.run("CREATE TABLE kept AS SELECT 42 AS answer")
    connection.close()
    answers = [provisioner.run(client, request_type=kind) for kind in ("Create", "Update", "Update")]
    assert {answer["Status"] for answer in answers} == {"SUCCESS"}
    connection = sign_in(client)
    assert connection.run("SELECT answer FROM kept") == [[42]]
    connection.close()


def test_a_changed_password_is_set_and_the_old_one_ends(provisioner: Provisioner, sign_in: Connect) -> None:
    client = provisioner.client("changed")
    assert provisioner.run(client)["Status"] == "SUCCESS"
    old = Client(**vars(client))
    provisioner.change_password(client)
    assert provisioner.run(client, request_type="Update")["Status"] == "SUCCESS"
    sign_in(client).close()
    with pytest.raises(pg8000.native.DatabaseError, match="password authentication failed"):
        sign_in(old)


def test_what_an_earlier_run_left_half_done_is_completed(
    provisioner: Provisioner, shared: Instance, connect: Connect, sign_in: Connect
) -> None:
    user_only, database_only = provisioner.client("half_user"), provisioner.client("half_database")
    master = connect(shared, database="postgres")
    master.run("CREATE ROLE half_user NOLOGIN CREATEDB")
    master.run("CREATE DATABASE half_database")
    master.close()
    assert provisioner.run(user_only, database_only)["Status"] == "SUCCESS"
    for client in (user_only, database_only):
        connection = sign_in(client)
        connection.run("CREATE TABLE works (id int)")
        assert refusal(connection, "CREATE DATABASE more") == PERMISSION_DENIED
        connection.close()
    with pytest.raises(pg8000.native.DatabaseError, match="permission denied for database"):
        sign_in(user_only, database_only.database)


@pytest.mark.parametrize("name", ['quo"ted', "Mixed Case", "drop'; --", "percent%s:name"])
def test_names_are_only_ever_names(provisioner: Provisioner, sign_in: Connect, name: str) -> None:
    client = provisioner.client(name)
    assert provisioner.run(client)["Status"] == "SUCCESS"
    connection = sign_in(client)
    assert connection.run("SELECT current_user, current_database()") == [[name, name]]
    connection.close()


def test_runs_at_the_same_time_wait_for_each_other(provisioner: Provisioner, cloudformation: CloudFormation) -> None:
    clients = [provisioner.client(f"concurrent_{number}") for number in range(2)]
    threads = [threading.Thread(target=lambda: provisioner.run(*clients), daemon=True) for _ in range(4)]
    before = len(cloudformation.answers)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    answers = cloudformation.answers[before:]
    assert [answer["Status"] for answer in answers] == ["SUCCESS"] * 4, answers


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


def test_deleting_keeps_every_database_and_needs_no_instance(provisioner: Provisioner, sign_in: Connect) -> None:
    client = provisioner.client("outlives")
    assert provisioner.run(client)["Status"] == "SUCCESS"
    connection = sign_in(client)
    connection.run("CREATE TABLE kept AS SELECT 42 AS answer")
    connection.close()
    answer = provisioner.run(client, request_type="Delete", changes={"Port": "1"})
    assert answer["Status"] == "SUCCESS"
    connection = sign_in(client)
    assert connection.run("SELECT answer FROM kept") == [[42]]
    connection.close()


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
    provisioner: Provisioner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    foreign = ssl.create_default_context().get_ca_certs(binary_form=True)[0]
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(ssl.DER_cert_to_PEM_cert(foreign))
    monkeypatch.setattr(connections, "CA_BUNDLE", bundle)
    answer = provisioner.run(provisioner.client("unverified"))
    assert answer["Status"] == "FAILED"
    assert "CERTIFICATE_VERIFY_FAILED" in answer["Reason"]


def test_without_a_bundle_the_connection_is_encrypted_all_the_same(
    provisioner: Provisioner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(connections, "CA_BUNDLE", tmp_path / "none.pem")
    # rds.force_ssl is on: without TLS the instance would refuse.
    assert provisioner.run(provisioner.client("encrypted"))["Status"] == "SUCCESS"


def test_an_answer_that_cloudformation_does_not_take_is_sent_again(
    provisioner: Provisioner, cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aerodrome_constructs.database.provisioner_handler.response._RETRY_SECONDS", 0.01)
    cloudformation.refusals = 2
    answer = provisioner.run(provisioner.client("persistent"))
    assert answer["Status"] == "SUCCESS"
    assert cloudformation.content_types == [""]
    assert answer["PhysicalResourceId"] == "Databases-databases"
