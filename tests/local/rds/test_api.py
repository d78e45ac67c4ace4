"""RDS's API in front of a real PostgreSQL."""

import os
import signal
import socket
import ssl
import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pg8000.native
import pytest
from botocore.exceptions import ClientError

from tests.local.rds.instances import PASSWORD, Connect, Instance, Make, WaitForStatus

if TYPE_CHECKING:
    from types_boto3_rds import RDSClient
    from types_boto3_rds.literals import ApplyMethodType


def rows(connection: pg8000.native.Connection, statement: str) -> list[list[Any]]:
    """Run one statement and close the connection."""
    try:
        return list(connection.run(statement) or [])
    finally:
        connection.close()


def postmaster(databases_directory: Path, instance: Instance) -> int:
    """The process id of an instance's server."""
    file = databases_directory / instance["DbiResourceId"] / "data" / "postmaster.pid"
    return int(file.read_text().splitlines()[0])


def test_an_instance_is_a_postgresql_of_the_engine_versions_major(shared: Instance, connect: Connect) -> None:
    assert shared["Endpoint"]["Address"] == "127.0.0.1"
    (version,) = rows(connect(shared), "SHOW server_version")[0]
    assert version.split(".")[0] == "16"
    assert shared["EngineVersion"] == version


def test_version_18_works_too_and_without_dbname_there_is_no_database(make_instance: Make, connect: Connect) -> None:
    instance = make_instance("eighteen", EngineVersion="18.4", DBName="")
    assert rows(connect(instance, database="postgres"), "SHOW server_version")[0][0].startswith("18.")
    names = rows(connect(instance, database="postgres"), "SELECT datname FROM pg_database")
    assert sorted(name for (name,) in names) == ["postgres", "template0", "template1"]


def test_a_version_that_is_not_installed_is_refused_with_those_that_are(rds: "RDSClient") -> None:
    with pytest.raises(ClientError, match=r"Cannot find version 13\.4 for postgres: .* 16 \(16\.\d+\) and 18 \(18"):
        rds.create_db_instance(
            DBInstanceIdentifier="old",
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            EngineVersion="13.4",
            MasterUsername="platform",
            MasterUserPassword="long-enough",
        )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"MasterUserPassword": "short"}, "8 to 128 printable ASCII characters"),
        ({"MasterUserPassword": "with a space"}, "8 to 128 printable ASCII characters"),
        ({"MasterUsername": "rdsadmin"}, "MasterUsername 'rdsadmin' cannot be used"),
        ({"MasterUsername": "1st"}, "MasterUsername '1st' cannot be used"),
    ],
)
def test_a_master_user_that_rds_refuses_is_refused(
    make_instance: Make, options: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ClientError, match=complaint):
        make_instance("refused", **options)


def test_the_master_user_may_make_databases_and_roles_but_is_no_superuser(shared: Instance, connect: Connect) -> None:
    attributes = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, pg_has_role(rolname, 'rds_superuser', 'MEMBER')"
    statement = f"SELECT {attributes} FROM pg_roles WHERE rolname = current_user"  # noqa: S608 - a constant
    assert rows(connect(shared), statement) == [[False, True, True, False, True]]
    statement = "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE NOT datistemplate ORDER BY datname"
    assert rows(connect(shared), statement) == [["platform", "platform"], ["postgres", "platform"]]


def test_the_certificate_verifies_and_a_foreign_authority_does_not(shared: Instance, connect: Connect) -> None:
    assert rows(connect(shared), "SELECT 1") == [[1]]
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(shared, ssl_context=ssl.create_default_context())


def test_a_connection_without_tls_is_refused_unless_the_parameter_group_allows_it(
    rds: "RDSClient", make_instance: Make, connect: Connect
) -> None:
    rds.create_db_parameter_group(
        DBParameterGroupName="tls", DBParameterGroupFamily="postgres16", Description="rds.force_ssl on and off"
    )
    instance = make_instance("tls", DBParameterGroupName="tls")
    with pytest.raises(pg8000.native.DatabaseError, match=r"no pg_hba\.conf entry for host .* no encryption"):
        connect(instance, ssl_context=False)

    rds.modify_db_parameter_group(
        DBParameterGroupName="tls",
        Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}],
    )
    assert rows(connect(instance, ssl_context=False), "SELECT 1") == [[1]]


@pytest.mark.parametrize(("user", "password"), [("rdsadmin", ""), ("platform", "wrong-password"), ("nobody", "x")])
def test_nobody_else_gets_in(shared: Instance, connect: Connect, user: str, password: str) -> None:
    with pytest.raises(pg8000.native.DatabaseError, match=r"no pg_hba\.conf entry|password authentication failed"):
        connect(shared, user=user, password=password)


def test_large_answers_and_requests_pass_through_tls(shared: Instance, connect: Connect) -> None:
    connection = connect(shared)
    text = "x" * 5_000_000
    assert connection.run("SELECT :text || 'y'", text=text) == [[text + "y"]]
    connection.close()


def test_a_client_can_cancel_its_query(shared: Instance, connect: Connect) -> None:
    connection = connect(shared)
    # BackendKeyData, which pg8000 keeps to itself: process id and secret key.
    key = connection._backend_key_data  # noqa: SLF001 - pg8000 offers no cancelling
    outcome: list[str] = []

    def query() -> None:
        try:
            connection.run("SELECT pg_sleep(60)")
        except pg8000.native.DatabaseError as error:
            outcome.append(str(error))

    thread = threading.Thread(target=query)
    thread.start()
    address = (shared["Endpoint"]["Address"], shared["Endpoint"]["Port"])
    deadline = time.monotonic() + 30
    while thread.is_alive() and time.monotonic() < deadline:
        # The query may not have begun yet: ask again.
        with socket.create_connection(address) as raw:
            raw.sendall(struct.pack("!II", 16, 80877102) + key)  # CancelRequest, answered by its effect only
            assert raw.recv(1) == b""
        thread.join(0.05)
    connection.close()
    assert "canceling statement due to user request" in outcome[0]


def test_what_is_no_postgresql_protocol_is_hung_up_on(shared: Instance) -> None:
    endpoint = shared["Endpoint"]
    with socket.create_connection((endpoint["Address"], endpoint["Port"]), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: database\r\n\r\n")
        assert raw.recv(100) == b""


def test_parameters_reach_the_server_and_static_ones_wait_for_a_reboot(
    rds: "RDSClient", make_instance: Make, connect: Connect, wait_for_status: WaitForStatus
) -> None:
    rds.create_db_parameter_group(
        DBParameterGroupName="sized", DBParameterGroupFamily="postgres16", Description="sizes"
    )

    def change(**values: str) -> None:
        rds.modify_db_parameter_group(
            DBParameterGroupName="sized",
            Parameters=[
                {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
                for name, value in values.items()
            ],
        )

    change(max_connections="61", log_min_duration_statement="1500", shared_buffers="{DBInstanceClassMemory/32768}")
    instance = make_instance("sized", DBParameterGroupName="sized")
    statement = "SELECT current_setting('max_connections'), current_setting('log_min_duration_statement')"
    assert rows(connect(instance), statement) == [["61", "1500ms"]]

    change(max_connections="62", log_min_duration_statement="1600")
    deadline = time.monotonic() + 10  # a reload is a signal: the server takes it up in its own time
    while (seen := rows(connect(instance), statement)) != [["61", "1600ms"]]:
        assert time.monotonic() < deadline, seen
    status = wait_for_status("sized", "available")["DBParameterGroups"][0]["ParameterApplyStatus"]
    assert status == "pending-reboot"

    rds.reboot_db_instance(DBInstanceIdentifier="sized")
    status = wait_for_status("sized", "available")["DBParameterGroups"][0]["ParameterApplyStatus"]
    assert status == "in-sync"
    assert rows(connect(instance), statement) == [["62", "1600ms"]]


@pytest.mark.parametrize(
    ("name", "value", "method", "complaint"),
    [
        ("work_mem", "plenty", "immediate", 'invalid value for parameter "work_mem": "plenty"'),
        ("max_connections", "0", "pending-reboot", "0 is outside the valid range"),
        ("max_connections", "50", "immediate", "cannot use immediate apply method for static parameter"),
        ("work_memory", "5000", "immediate", "Could not find parameter with name: work_memory"),
    ],
)
def test_a_parameter_that_rds_refuses_is_refused_and_not_kept(
    rds: "RDSClient", name: str, value: str, method: "ApplyMethodType", complaint: str
) -> None:
    rds.create_db_parameter_group(
        DBParameterGroupName="refusing", DBParameterGroupFamily="postgres16", Description="bad values"
    )
    try:
        with pytest.raises(ClientError, match=complaint):
            rds.modify_db_parameter_group(
                DBParameterGroupName="refusing",
                Parameters=[{"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}],
            )
        assert rds.describe_db_parameters(DBParameterGroupName="refusing", Source="user")["Parameters"] == []
    finally:
        rds.delete_db_parameter_group(DBParameterGroupName="refusing")


def test_a_parameter_group_of_another_family_is_refused(rds: "RDSClient", make_instance: Make) -> None:
    rds.create_db_parameter_group(
        DBParameterGroupName="other-family", DBParameterGroupFamily="postgres18", Description="18"
    )
    with pytest.raises(ClientError, match="DBParameterGroupFamily postgres18 cannot be used for this instance"):
        make_instance("family", DBParameterGroupName="other-family")


def test_a_changed_password_holds_at_once_and_the_old_one_no_longer(
    rds: "RDSClient", shared: Instance, connect: Connect
) -> None:
    rds.modify_db_instance(DBInstanceIdentifier="shared", MasterUserPassword="another-Password1", ApplyImmediately=True)
    try:
        assert rows(connect(shared, password="another-Password1"), "SELECT 1") == [[1]]
        with pytest.raises(pg8000.native.DatabaseError, match="password authentication failed"):
            connect(shared)
    finally:
        rds.modify_db_instance(DBInstanceIdentifier="shared", MasterUserPassword=PASSWORD)
    assert rows(connect(shared), "SELECT 1") == [[1]]


def test_what_is_asked_for_is_described(rds: "RDSClient", make_instance: Make) -> None:
    asked = {
        "AutoMinorVersionUpgrade": False,
        "BackupRetentionPeriod": 14,
        "CopyTagsToSnapshot": True,
        "DeletionProtection": True,
        "KmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "MaxAllocatedStorage": 200,
        "MultiAZ": True,
        "PerformanceInsightsKMSKeyId": "arn:aws:kms:us-east-1:111122223333:key/4321abcd-12ab-34cd-56ef-1234567890ab",
        "PerformanceInsightsRetentionPeriod": 31,
        "PubliclyAccessible": False,
        "StorageEncrypted": True,
        "StorageType": "gp3",
    }
    renamed = {
        "EnableCloudwatchLogsExports": ("EnabledCloudwatchLogsExports", ["postgresql", "upgrade"]),
        "EnablePerformanceInsights": ("PerformanceInsightsEnabled", True),
        "EnableIAMDatabaseAuthentication": ("IAMDatabaseAuthenticationEnabled", False),
    }
    instance = make_instance("described", **asked, **{name: value for name, (_, value) in renamed.items()})
    expected = {**asked, **dict(renamed.values())}
    assert {name: instance.get(name) for name in expected} == expected

    changed = rds.modify_db_instance(
        DBInstanceIdentifier="described",
        AllocatedStorage=40,
        AutoMinorVersionUpgrade=True,
        CloudwatchLogsExportConfiguration={"DisableLogTypes": ["upgrade"]},
        EnablePerformanceInsights=False,
        ApplyImmediately=True,
    )["DBInstance"]
    assert changed["AllocatedStorage"] == 40
    assert changed["AutoMinorVersionUpgrade"] is True
    assert changed["EnabledCloudwatchLogsExports"] == ["postgresql"]


def test_data_and_endpoint_outlive_a_stop_and_a_crash(
    rds: "RDSClient",
    make_instance: Make,
    connect: Connect,
    wait_for_status: WaitForStatus,
    databases_directory: Path,
) -> None:
    instance = make_instance("paused")
    rows(connect(instance), "CREATE TABLE kept AS SELECT 42 AS answer")
    rds.stop_db_instance(DBInstanceIdentifier="paused")
    wait_for_status("paused", "stopped")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((instance["Endpoint"]["Address"], instance["Endpoint"]["Port"]))
    with pytest.raises(ClientError, match="it is stopped"):
        rds.modify_db_instance(DBInstanceIdentifier="paused", MasterUserPassword="another-Password1")

    rds.start_db_instance(DBInstanceIdentifier="paused")
    assert wait_for_status("paused", "available")["Endpoint"] == instance["Endpoint"]
    assert rows(connect(instance), "SELECT answer FROM kept") == [[42]]

    rows(connect(instance), "UPDATE kept SET answer = 43")
    os.kill(postmaster(databases_directory, instance), signal.SIGKILL)
    rds.reboot_db_instance(DBInstanceIdentifier="paused")
    assert wait_for_status("paused", "available")["Endpoint"] == instance["Endpoint"]
    assert rows(connect(instance), "SELECT answer FROM kept") == [[43]]


@pytest.mark.usefixtures("shared")
def test_a_major_upgrade_is_refused(rds: "RDSClient") -> None:
    with pytest.raises(ClientError, match=r"Cannot upgrade postgres from 16 to 18\.4"):
        rds.modify_db_instance(
            DBInstanceIdentifier="shared", EngineVersion="18.4", AllowMajorVersionUpgrade=True, ApplyImmediately=True
        )


def test_deletion_protection_refuses_to_delete(rds: "RDSClient", shared: Instance, connect: Connect) -> None:
    rds.modify_db_instance(DBInstanceIdentifier="shared", DeletionProtection=True)
    try:
        with pytest.raises(ClientError, match="DeletionProtection"):
            rds.delete_db_instance(DBInstanceIdentifier="shared", SkipFinalSnapshot=True)
    finally:
        rds.modify_db_instance(DBInstanceIdentifier="shared", DeletionProtection=False)
    assert rows(connect(shared), "SELECT 1") == [[1]]


def test_deleting_ends_the_server_and_its_data(rds: "RDSClient", create: Make, databases_directory: Path) -> None:
    instance = create("short-lived")
    process = postmaster(databases_directory, instance)
    os.kill(process, 0)
    rds.delete_db_instance(DBInstanceIdentifier="short-lived", SkipFinalSnapshot=True)
    assert not (databases_directory / instance["DbiResourceId"]).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
