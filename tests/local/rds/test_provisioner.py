"""What the database provisioner makes, in a real PostgreSQL."""

import threading

import pg8000.native
import pytest

from tests.local.rds.instances import Connect, Instance
from tests.local.rds.provisioning import Client, CloudFormation, Provisioner

PERMISSION_DENIED = "42501"


def refusal(connection: pg8000.native.Connection, statement: str) -> str:
    """The SQLSTATE with which the server refuses a statement."""
    with pytest.raises(pg8000.native.DatabaseError) as caught:
        connection.run(statement)
    return str(caught.value.args[0]["C"])


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
        rights = "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        assert connection.run(f"{rights} FROM pg_roles WHERE rolname = current_user") == [[False] * 5]
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


def test_a_client_gets_into_no_database_but_its_own(provisioner: Provisioner, sign_in: Connect) -> None:
    client, other = provisioner.client("only_own"), provisioner.client("only_other")
    assert provisioner.run(client, other)["Status"] == "SUCCESS"
    connection = sign_in(client)
    # `platform` is the test's own database, and template0 takes no connections. On RDS template1 is Amazon's.
    reached = "has_database_privilege(datname, 'CONNECT') AND datname NOT IN ('platform', 'template0')"
    names = connection.run(f"SELECT datname FROM pg_database WHERE {reached}")  # noqa: S608 - a constant
    assert {name for (name,) in names or []} == {client.database, "template1"}
    # Flyte would make a missing database from here (flyteadmin/pkg/repositories/database.go): it is never missing.
    with pytest.raises(pg8000.native.DatabaseError, match='permission denied for database "postgres"'):
        sign_in(client, "postgres")
    connection.close()


def test_a_client_owns_its_schemas_and_no_other(
    provisioner: Provisioner, shared: Instance, connect: Connect, sign_in: Connect
) -> None:
    client = provisioner.client("schemas")
    assert provisioner.run(client)["Status"] == "SUCCESS"
    connection = sign_in(client)
    connection.run("CREATE TABLE public.records (id int)")
    for schema in ("pg_catalog", "information_schema"):
        assert refusal(connection, f"CREATE TABLE {schema}.records (id int)") == PERMISSION_DENIED
    connection.close()
    # Nobody else can look into it, or make anything in its schema.
    public = (
        "SELECT has_schema_privilege('public', 'public', 'CREATE'), has_database_privilege('public', :name, 'CONNECT')"
    )
    master = connect(shared, database="postgres")
    assert master.run(public, name=client.database) == [[False, False]]
    master.close()


def test_an_answer_that_cloudformation_does_not_take_is_sent_again(
    provisioner: Provisioner, cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aerodrome_constructs.database.provisioner_handler.response._RETRY_SECONDS", 0.01)
    cloudformation.refusals = 2
    answer = provisioner.run(provisioner.client("persistent"))
    assert answer["Status"] == "SUCCESS"
    assert cloudformation.content_types == [""]
    assert answer["PhysicalResourceId"] == "Databases-databases"
