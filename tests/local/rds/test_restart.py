"""Databases over the end of their server: a clean one, and a kill."""

import json
import os
import signal
import ssl
from pathlib import Path

import pg8000.native

from aerodrome_local.testing import EmbeddedAws, run_command
from tests.local.rds.instances import PASSWORD


def create(aws: EmbeddedAws) -> None:
    """Makes an instance and waits for it."""
    rds = aws.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="kept",
        DBInstanceClass="db.t4g.medium",
        Engine="postgres",
        MasterUsername="platform",
        MasterUserPassword=PASSWORD,
        DBName="platform",
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier="kept", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def run(aws: EmbeddedAws, statement: str) -> list[list[object]]:
    """Runs a statement in it, at the address that RDS describes."""
    instance = aws.client("rds").describe_db_instances(DBInstanceIdentifier="kept")["DBInstances"][0]
    assert instance["DBInstanceStatus"] == "available"
    connection = pg8000.native.Connection(
        "platform",
        host=instance["Endpoint"]["Address"],
        port=instance["Endpoint"]["Port"],
        password=PASSWORD,
        ssl_context=ssl.create_default_context(cafile=str(aws.state_dir / "postgres" / "tls" / "rds-ca.pem")),
    )
    try:
        return list(connection.run(statement) or [])
    finally:
        connection.close()


def postmaster(aws: EmbeddedAws) -> int:
    """The process id of the one instance's server."""
    (file,) = (aws.state_dir / "postgres").glob("db-*/data/postmaster.pid")
    return int(file.read_text().splitlines()[0])


def runs(process: int) -> bool:
    """Whether a process lives."""
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def server(aws: EmbeddedAws) -> int:
    """The process id of the embedded AWS."""
    return int(json.loads(run_command("status", "--json", state_dir=aws.state_dir).stdout)["pid"])


def test_data_and_address_outlive_the_embedded_aws_however_it_ends(tmp_path: Path) -> None:
    aws = EmbeddedAws.start(tmp_path / "state")
    try:
        create(aws)
        run(aws, "CREATE TABLE kept AS SELECT 42 AS answer")
        address = aws.client("rds").describe_db_instances()["DBInstances"][0]["Endpoint"]
        process = postmaster(aws)
        aws.stop()
        assert not runs(process)

        aws = EmbeddedAws.start(tmp_path / "state")
        assert run(aws, "SELECT answer FROM kept") == [[42]]
        assert aws.client("rds").describe_db_instances()["DBInstances"][0]["Endpoint"] == address

        orphan = postmaster(aws)
        os.kill(server(aws), signal.SIGKILL)
        assert runs(orphan)
        aws = EmbeddedAws.start(tmp_path / "state")
        assert not runs(orphan)
        assert run(aws, "SELECT answer FROM kept") == [[42]]
        assert aws.client("rds").describe_db_instances()["DBInstances"][0]["Endpoint"] == address
    finally:
        last = postmaster(aws)
        aws.stop()
    assert not runs(last)
