"""DB instances of the embedded AWS, and connections to them."""

import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pg8000.native
import pytest

from aerodrome_constructs.database.provisioner_handler import connection as connections
from aerodrome_local.testing import EmbeddedAws
from tests.local.rds.instances import MASTER, PASSWORD, Connect, Instance, Make, WaitForStatus
from tests.local.rds.provisioning import Client, CloudFormation, Provisioner

if TYPE_CHECKING:
    from types_boto3_rds import RDSClient


@pytest.fixture(scope="session")
def rds(embedded_aws: EmbeddedAws) -> "RDSClient":
    client: RDSClient = embedded_aws.client("rds")
    return client


@pytest.fixture(scope="session")
def databases_directory(embedded_aws: EmbeddedAws) -> Path:
    """Where the embedded AWS keeps the databases."""
    return embedded_aws.state_dir / "postgres"


@pytest.fixture(scope="session")
def connect(databases_directory: Path) -> Connect:
    """Connects to an instance as its master user, verifying its certificate unless told otherwise."""

    def open_connection(instance: Instance, **options: object) -> pg8000.native.Connection:
        trusting = ssl.create_default_context(cafile=str(databases_directory / "tls" / "rds-ca.pem"))
        arguments = {"user": MASTER, "password": PASSWORD, "database": "platform", "ssl_context": trusting, **options}
        endpoint = instance["Endpoint"]
        return pg8000.native.Connection(host=endpoint["Address"], port=endpoint["Port"], timeout=20, **arguments)

    return open_connection


@pytest.fixture(scope="session")
def wait_for_status(rds: "RDSClient") -> WaitForStatus:
    """Waits until an instance has a status and returns its description."""

    def wait(identifier: str, status: str) -> Instance:
        deadline = time.monotonic() + 60
        while True:
            instance = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
            if instance["DBInstanceStatus"] == status:
                return dict(instance)
            assert time.monotonic() < deadline, f"{identifier} is {instance['DBInstanceStatus']}, not {status}"
            time.sleep(0.05)

    return wait


@pytest.fixture(scope="session")
def create(rds: "RDSClient", wait_for_status: WaitForStatus) -> Make:
    """Makes a DB instance through the API and waits for it."""

    def make(identifier: str, **options: object) -> Instance:
        arguments: dict[str, Any] = {
            "DBInstanceIdentifier": identifier,
            "DBInstanceClass": "db.t4g.medium",
            "Engine": "postgres",
            "EngineVersion": "16",
            "AllocatedStorage": 20,
            "MasterUsername": MASTER,
            "MasterUserPassword": PASSWORD,
            "DBName": "platform",
            **options,
        }
        rds.create_db_instance(**arguments)
        return wait_for_status(identifier, "available")

    return make


@pytest.fixture(scope="session")
def shared(create: Make) -> Instance:
    """An instance for tests that leave no trace in it."""
    return create("shared")


@pytest.fixture
def make_instance(rds: "RDSClient", create: Make) -> Iterator[Make]:
    """Makes DB instances that are deleted after the test."""
    made: list[str] = []

    def make(identifier: str, **options: object) -> Instance:
        instance = create(identifier, **options)
        made.append(identifier)
        return instance

    yield make
    for identifier in made:
        rds.modify_db_instance(DBInstanceIdentifier=identifier, DeletionProtection=False)
        rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)


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
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield receiver
    server.shutdown()
    server.server_close()


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
        connections.CA_BUNDLE: str(databases_directory / "tls" / "rds-ca.pem"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(connections, "RETRY_SECONDS", 0.05)
    return Provisioner(shared, cloudformation, embedded_aws.client("secretsmanager"))


@pytest.fixture
def sign_in(shared: Instance, connect: Connect) -> Connect:
    """Connects as a client, to its own database unless told otherwise."""

    def connection(client: Client, database: str | None = None) -> pg8000.native.Connection:
        return connect(shared, user=client.username, password=client.password, database=database or client.database)

    return connection
