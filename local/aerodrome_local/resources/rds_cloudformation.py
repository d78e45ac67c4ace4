"""CloudFormation's RDS types: what MiniStack's own handlers do not do for an instance that has a database."""

from collections.abc import Callable
from typing import Any

from aerodrome_local.resources.rds_databases import (
    DEFAULT_ENGINE_VERSION,
    MAJOR,
    Databases,
    Record,
    check_engine_version,
    check_master,
    check_parameter_group,
    is_ours,
)
from aerodrome_local.resources.rds_private import (
    check_before,
    instances,
    replace_in_cloudformation,
    replace_in_rds,
    spawn_background,
)
from aerodrome_local.runtime import Properties, Runtime

INSTANCE = "AWS::RDS::DBInstance"
PARAMETER_GROUP = "AWS::RDS::DBParameterGroup"

_DROPPED: dict[str, tuple[str, Callable[[Any], object], object]] = {
    "CACertificateIdentifier": ("CACertificateIdentifier", str, "rds-ca-rsa2048-g1"),
    "EnableCloudwatchLogsExports": ("EnabledCloudwatchLogsExports", list, ()),
    "Iops": ("Iops", int, None),
    "NetworkType": ("NetworkType", str, "IPV4"),
    "PerformanceInsightsKMSKeyId": ("PerformanceInsightsKMSKeyId", str, None),
    "PerformanceInsightsRetentionPeriod": ("PerformanceInsightsRetentionPeriod", int, 7),
    "StorageThroughput": ("StorageThroughput", int, 0),
}
"""Properties that MiniStack's handlers do not read: the record's field, how to read it, and its value when absent."""


class CloudFormation:
    """Hooks on MiniStack's handlers, which make, change and delete the records."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def install(self, runtime: Runtime) -> None:
        """Register the hooks."""
        replace_in_cloudformation("_rds_db_instance_delete", self._removing)
        replace_in_rds("_default_engine_version", _with_default)
        check_before(INSTANCE, self._check)
        runtime.on_create(INSTANCE, self._after_create_or_update)
        runtime.on_delete(INSTANCE, self._before_delete)
        runtime.on_create(PARAMETER_GROUP, self._after_parameter_group)

    def _removing(self, delete: Callable[[str, Properties], None]) -> Callable[[str, Properties], None]:
        """A replaced instance's record is deleted without any hook: its database must go with it."""

        def delete_with_database(physical_id: str, properties: Properties) -> None:
            record = _record(physical_id)
            _refuse_protected(record)
            delete(physical_id, properties)
            if is_ours(record):  # in the background: this may run on the event loop, which must not wait
                spawn_background(self._databases.remove, record, thread_name=f"rds-{physical_id}")

        return delete_with_database

    def _check(self, physical_id: str | None, properties: Properties) -> None:
        if not is_ours(properties):
            return
        record = _record(physical_id) if physical_id else {}
        name = properties.get("DBInstanceIdentifier", "")
        if physical_id is None and _record(name):
            # MiniStack would put the new record over the old one, and the old one's data would have no owner.
            raise ValueError(
                f"DB instance {name} already exists: delete the one that another stack has left (lift its deletion "
                "protection first), or start anew with `aerodrome local reset`"
            )
        version = str(properties.get("EngineVersion") or DEFAULT_ENGINE_VERSION)
        check_engine_version(version, record)
        check_master(properties.get("MasterUsername", ""), properties.get("MasterUserPassword", ""))
        check_parameter_group(properties.get("DBParameterGroupName", ""), version)

    def _after_create_or_update(
        self, physical_id: str, properties: Properties, _attributes: dict[str, Any]
    ) -> dict[str, Any] | None:
        record = _record(physical_id)
        if not is_ours(record):
            return None
        for name, (field, parse, absent) in _DROPPED.items():
            value = properties.get(name)
            record[field] = absent if value is None else parse(value)
        record["DBName"] = properties.get("DBName", "")  # MiniStack would make up a name; RDS makes no database then
        if MAJOR not in record:
            self._make(record)
        elif record["DBInstanceStatus"] == "available":
            self._databases.set_password(record)
            self._databases.reconfigure(record)
        endpoint = record["Endpoint"]
        return {"Endpoint.Address": endpoint["Address"], "Endpoint.Port": str(endpoint["Port"])}

    def _make(self, record: Record) -> None:
        record["DBInstanceStatus"] = "creating"
        try:
            self._databases.start(record)
        except ValueError:
            self._databases.remove(record)  # the record goes, too: the stack rolls back
            raise

    def _before_delete(self, physical_id: str, _properties: Properties) -> None:
        record = _record(physical_id)
        if not is_ours(record):
            return
        _refuse_protected(record)
        self._databases.remove(record)

    def _after_parameter_group(self, physical_id: str, _properties: Properties, _attributes: dict[str, Any]) -> None:
        for record in self._databases.of_parameter_group(physical_id):
            self._databases.reconfigure(record)


def _with_default(built_in: Callable[[str], str]) -> Callable[[str], str]:
    return lambda engine: DEFAULT_ENGINE_VERSION if engine == "postgres" else built_in(engine)


def _refuse_protected(record: Record) -> None:
    if is_ours(record) and record.get("DeletionProtection"):
        raise ValueError(
            f"Cannot delete protected DB Instance {record['DBInstanceIdentifier']}, "
            "please disable deletion protection and try again."
        )


def _record(physical_id: str) -> Record:
    """The instance's record; empty when it is gone."""
    return instances.get(physical_id) or {}
