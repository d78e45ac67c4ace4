"""What MiniStack's records of DB instances mean for the PostgreSQL servers behind them."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aerodrome_local.ministack_private import request_scope
from aerodrome_local.postgres import binaries
from aerodrome_local.postgres.instances import Instances, Specification
from aerodrome_local.postgres.settings import interpret
from aerodrome_local.resources.rds_private import instances, parameter_groups

Record = dict[str, Any]

DEFAULT_ENGINE_VERSION = "16"
"""For an instance that is made without one."""

STOPPED = "_aerodrome_stopped"
"""Set in the record of an instance that its user stopped: it stays down when the embedded AWS starts again."""

MAJOR = "_aerodrome_major"
"""In the record of an instance that has data: the major version that can read them."""

_FAMILY = re.compile(r"postgres\d+")

logger = logging.getLogger("aerodrome_local")


def is_ours(record: Mapping[str, Any] | None) -> bool:
    """Whether a record, or a resource's properties, are of RDS for PostgreSQL, not of Aurora or another engine."""
    return record is not None and record.get("Engine") == "postgres" and not record.get("DBClusterIdentifier")


class Databases:
    """Keeps the server of each instance as its record says. All of it blocks: call it on worker threads."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

    def listen(self, record: Record) -> None:
        """Give the record its real endpoint, which clients may connect to once the server has started.

        Raises:
            OSError: No port is free.
        """
        port = self._instances.listen(_specification(record))
        record["Endpoint"] = {"Address": "127.0.0.1", "Port": port, "HostedZoneId": "Z2R2ITUGPM61AM"}

    def start(self, record: Record) -> None:
        """Bring the server up and the record to ``available``; to ``failed`` when it does not start.

        Raises:
            ValueError: In the reader's words, why not.
        """
        try:
            self.listen(record)
            self._instances.start(_specification(record))
        except (OSError, RuntimeError, ValueError) as error:
            record["DBInstanceStatus"] = "failed"
            logger.exception("the database of DB instance %s does not start", record["DBInstanceIdentifier"])
            raise ValueError(f"DB instance {record['DBInstanceIdentifier']}: {error}") from error
        record.pop(STOPPED, None)
        record[MAJOR] = binaries.for_engine_version(record["EngineVersion"]).major
        record["DBInstanceStatus"] = "available"
        _apply_status(record, "in-sync")

    def stop(self, record: Record) -> None:
        """Stop the server and keep the data."""
        record[STOPPED] = True
        record["DBInstanceStatus"] = "stopped"
        self._instances.stop(record["DbiResourceId"])

    def restart(self, record: Record) -> None:
        """Stop the server and start it again, with the parameters that waited for it."""
        self._instances.stop(record["DbiResourceId"])
        self.start(record)

    def remove(self, record: Record) -> None:
        """Stop the server and delete the data."""
        self._instances.remove(record["DbiResourceId"])

    def set_password(self, record: Record) -> None:
        """Give the master user the record's password."""
        self._instances.set_password(_specification(record))

    def reconfigure(self, record: Record) -> None:
        """Apply the record's parameter group, and note in the record whether a part of it waits for a reboot.

        Raises:
            ValueError: PostgreSQL refuses a value; nothing is changed.
        """
        pending = self._instances.reconfigure(_specification(record))
        _apply_status(record, "pending-reboot" if pending else "in-sync")

    def of_parameter_group(self, name: str) -> Iterator[Record]:
        """The running instances of this account and region that use a parameter group."""
        for record in list(instances.values()):
            if is_ours(record) and record["DBInstanceStatus"] == "available" and parameter_group(record) == name:
                yield record

    def resume(self) -> None:
        """Start the servers of the records that the embedded AWS has loaded, all at once."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._resume, list(instances.all_items())))

    def _resume(self, item: tuple[tuple[str, str, str], Record]) -> None:
        (account, region, _), record = item
        if not is_ours(record):
            return
        if record.get(STOPPED):
            record["DBInstanceStatus"] = "stopped"
            return
        with request_scope(account, region):
            try:
                self.start(record)
            except ValueError:
                return  # logged; the record says failed, and one database is no reason to refuse everything else


def parameter_group(record: Record) -> str:
    """The name of an instance's DB parameter group."""
    groups = record.get("DBParameterGroups") or [{}]
    return str(groups[0].get("DBParameterGroupName", ""))


def check_engine_version(version: str, record: Record | None = None) -> None:
    """Check that there is a server for an engine version, and that an instance can be brought to it.

    Raises:
        ValueError: There is none, or it has another major version than the instance's data.
    """
    wanted = binaries.for_engine_version(version).major
    current = record.get(MAJOR, wanted) if record else wanted
    if current != wanted:
        raise ValueError(
            f"Cannot upgrade postgres from {current} to {version}: the embedded AWS does not convert the data of "
            f"PostgreSQL {current} to {wanted}. Delete the DB instance and create it anew"
        )


def check_parameters(family: str, changes: Iterable[tuple[str, str, str]]) -> None:
    """Check changes of a parameter group as RDS does.

    Args:
        family: The group's family; those of engines without a server here are not checked.
        changes: Name, value and apply method of each.

    Raises:
        ValueError: There is no such parameter, PostgreSQL refuses the value, or a parameter that is only read at the
            start is to be applied immediately.
    """
    server = binaries.installed().get(int(family.removeprefix("postgres"))) if _FAMILY.fullmatch(family) else None
    if server is None:
        return
    known = binaries.parameters(server)
    for name, value, method in changes:
        if name not in known and "." not in name:  # rds.* and extensions have a dot
            raise ValueError(f"Could not find parameter with name: {name}")
        if method == "immediate" and known.get(name) == "postmaster":
            raise ValueError(f"cannot use immediate apply method for static parameter {name}")
        binaries.check(interpret({name: value}, known).server, server)


def check_master(username: str, password: str) -> None:
    """Check a master user as RDS does (CreateDBInstance, MasterUsername and MasterUserPassword).

    Raises:
        ValueError: What is wrong with the name or the password, which is not repeated.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", username) or username in {"rdsadmin", "rds_superuser"}:
        raise ValueError(
            f"MasterUsername {username!r} cannot be used: 1 to 63 letters, digits and underscores, first a letter, "
            "and no reserved word"
        )
    check_password(password)


def check_password(password: str) -> None:
    """Check a master password as RDS does.

    Raises:
        ValueError: What is allowed; the password is not repeated.
    """
    if not re.fullmatch(r"[!#-.0-?A-~]{8,128}", password):
        raise ValueError(
            "The parameter MasterUserPassword is not a valid password: 8 to 128 printable ASCII characters besides "
            "'/', '@', '\"', ' '"
        )


def check_parameter_group(name: str, version: str) -> None:
    """Check that a parameter group of this account is for the engine version's family.

    Raises:
        ValueError: It is for another.
    """
    group = parameter_groups.get(name)
    family = f"postgres{version.split('.', maxsplit=1)[0]}"
    if group is not None and group["DBParameterGroupFamily"] != family:
        raise ValueError(
            f"The Parameter Group {name} with DBParameterGroupFamily {group['DBParameterGroupFamily']} cannot be used "
            f"for this instance. Please use a Parameter Group with DBParameterGroupFamily {family}"
        )


def _specification(record: Record) -> Specification:
    group = parameter_groups.get(parameter_group(record)) or {}
    return Specification(
        resource_id=record["DbiResourceId"],
        engine_version=record["EngineVersion"],
        username=record["MasterUsername"],
        password=record["_MasterUserPassword"],
        database=record.get("DBName") or None,
        parameters={name: str(each["ParameterValue"]) for name, each in group.get("Parameters", {}).items()},
    )


def _apply_status(record: Record, status: str) -> None:
    for group in record.get("DBParameterGroups") or []:
        group["ParameterApplyStatus"] = status
