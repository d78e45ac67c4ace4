"""The RDS API's actions on DB instances and parameter groups, for instances that have a database."""

import re
from collections.abc import Callable
from typing import Any

from aerodrome_local.postgres import binaries
from aerodrome_local.resources.rds_databases import (
    DEFAULT_ENGINE_VERSION,
    Databases,
    Record,
    check_engine_version,
    check_master,
    check_parameter_group,
    check_parameters,
    check_password,
    is_ours,
)
from aerodrome_local.resources.rds_private import (
    ACTIONS,
    error_response,
    first_value,
    instance_response,
    instances,
    member_list,
    parameter_groups,
    parameter_prefix,
    replace_in_rds,
    resolve_instance,
    spawn_background,
)

Parameters = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]
Action = Callable[[Parameters], Response]

_LATER_FIELDS: dict[str, tuple[str, Callable[[str], object]]] = {
    "AutoMinorVersionUpgrade": ("AutoMinorVersionUpgrade", lambda text: text == "true"),
    "CACertificateIdentifier": ("CACertificateIdentifier", str),
    "EnablePerformanceInsights": ("PerformanceInsightsEnabled", lambda text: text == "true"),
    "PerformanceInsightsKMSKeyId": ("PerformanceInsightsKMSKeyId", str),
    "PerformanceInsightsRetentionPeriod": ("PerformanceInsightsRetentionPeriod", int),
    "StorageThroughput": ("StorageThroughput", int),
}
"""Request parameters that MiniStack drops on create, on modify or on both, with the record's field for each."""


class Api:
    """Wraps MiniStack's actions. They run on its pool of worker threads, so they may block."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def install(self) -> None:
        """Put the wrapped actions in place."""
        replace_in_rds("_modify_param_group", _checking)
        wrappers: dict[str, Callable[[Parameters, Action], Response]] = {
            "CreateDBInstance": self._create,
            "ModifyDBInstance": self._modify,
            "DeleteDBInstance": self._delete,
            "StartDBInstance": self._start,
            "StopDBInstance": self._stop,
            "ModifyDBParameterGroup": self._change_parameters,
            "ResetDBParameterGroup": self._change_parameters,
        }
        for name, wrapper in wrappers.items():
            ACTIONS[name] = _wrapped(ACTIONS[name], wrapper)
        self._replace_helpers()

    def _replace_helpers(self) -> None:
        replace_in_rds("_rotate_instance_password", self._rotating)
        replace_in_rds("_finish_instance_reboot", self._rebooting)
        # Ours are started by Databases.resume.
        replace_in_rds(
            "_start_rds_container_for_instance",
            lambda start: lambda identifier, record: None if is_ours(record) else start(identifier, record),
        )
        replace_in_rds("_instance_xml", lambda xml: lambda record: _complete(xml(record), record))

    def _rotating(self, rotate: Callable[[Record, str, str], None]) -> Callable[[Record, str, str], None]:
        def rotate_password(record: Record, old: str, new: str) -> None:
            if is_ours(record):
                self._databases.set_password(record)
            else:
                rotate(record, old, new)

        return rotate_password

    def _rebooting(self, finish: Callable[[Record, object], None]) -> Callable[[Record, object], None]:
        def reboot(record: Record, cluster: object) -> None:
            if is_ours(record):
                self._databases.restart(record)
                record["DBInstanceStatus"] = "rebooting"  # what MiniStack's own part, which comes next, expects
            finish(record, cluster)

        return reboot

    def _create(self, parameters: Parameters, create: Action) -> Response:
        if _get(parameters, "Engine") != "postgres" or _get(parameters, "DBClusterIdentifier"):
            return create(parameters)
        version = _get(parameters, "EngineVersion") or DEFAULT_ENGINE_VERSION
        try:
            check_engine_version(version)
            check_master(_get(parameters, "MasterUsername"), _get(parameters, "MasterUserPassword"))
            check_parameter_group(_get(parameters, "DBParameterGroupName"), version)
        except ValueError as error:
            return _refuse("InvalidParameterCombination", str(error))
        if "." not in version:  # RDS, too, picks a minor version then
            version = binaries.for_engine_version(version).version
        response = create({**parameters, "EngineVersion": [version]})
        if response[0] >= 400:  # noqa: PLR2004 - HTTP
            return response
        record = _instance(parameters)
        record["DBName"] = _get(parameters, "DBName")  # MiniStack would make up a name; RDS makes no database then
        _set_later_fields(record, parameters)
        record["EnabledCloudwatchLogsExports"] = _list(parameters, "EnableCloudwatchLogsExports")
        try:
            self._databases.listen(record)
        except (OSError, RuntimeError) as error:
            del instances[record["DBInstanceIdentifier"]]
            return _refuse("InsufficientDBInstanceCapacity", str(error))
        record["DBInstanceStatus"] = "creating"
        spawn_background(self._databases.start, record, thread_name=f"rds-{record['DBInstanceIdentifier']}")
        return _answer("CreateDBInstance", record)

    def _modify(self, parameters: Parameters, modify: Action) -> Response:
        record = _instance(parameters)
        if not is_ours(record):
            return modify(parameters)
        needs_server = _get(parameters, "MasterUserPassword") or _get(parameters, "DBParameterGroupName")
        if needs_server and (refusal := _unless_available(record)):
            return refusal
        version = _get(parameters, "EngineVersion") or record["EngineVersion"]
        try:
            check_engine_version(version, record)
            check_parameter_group(_get(parameters, "DBParameterGroupName"), version)
            if password := _get(parameters, "MasterUserPassword"):
                check_password(password)
        except ValueError as error:
            return _refuse("InvalidParameterCombination", str(error))
        response = modify(parameters)
        if response[0] >= 400:  # noqa: PLR2004 - HTTP
            return response
        _set_later_fields(record, parameters)
        exports = set(record.get("EnabledCloudwatchLogsExports") or [])
        exports |= set(_list(parameters, "CloudwatchLogsExportConfiguration.EnableLogTypes"))
        exports -= set(_list(parameters, "CloudwatchLogsExportConfiguration.DisableLogTypes"))
        record["EnabledCloudwatchLogsExports"] = sorted(exports)
        if _get(parameters, "DBParameterGroupName"):
            try:
                self._databases.reconfigure(record)
            except ValueError as error:
                return _refuse("InvalidParameterValue", str(error))
        return _answer("ModifyDBInstance", record)

    def _delete(self, parameters: Parameters, delete: Action) -> Response:
        record = _instance(parameters)
        response = delete(parameters)
        if is_ours(record) and response[0] < 400:  # noqa: PLR2004 - HTTP
            self._databases.remove(record)
        return response

    def _start(self, parameters: Parameters, start: Action) -> Response:
        record = _instance(parameters)
        if not is_ours(record):
            return start(parameters)
        if record["DBInstanceStatus"] not in {"stopped", "failed"}:
            return _wrong_state(record, "stopped")
        record["DBInstanceStatus"] = "starting"
        spawn_background(self._databases.start, record, thread_name=f"rds-{record['DBInstanceIdentifier']}")
        return _answer("StartDBInstance", record)

    def _stop(self, parameters: Parameters, stop: Action) -> Response:
        record = _instance(parameters)
        if not is_ours(record):
            return stop(parameters)
        if refusal := _unless_available(record):
            return refusal
        self._databases.stop(record)
        return _answer("StopDBInstance", record)

    def _change_parameters(self, parameters: Parameters, change: Action) -> Response:
        response = change(parameters)
        if response[0] < 400:  # noqa: PLR2004 - HTTP
            for record in self._databases.of_parameter_group(_get(parameters, "DBParameterGroupName")):
                self._databases.reconfigure(record)
        return response


def _checking(modify: Action) -> Action:
    """ModifyDBParameterGroup, which CloudFormation's handlers call, too, with the checks of RDS."""

    def checked(parameters: Parameters) -> Response:
        group = parameter_groups.get(_get(parameters, "DBParameterGroupName")) or {}
        prefix = parameter_prefix(parameters)
        changes: list[tuple[str, str, str]] = []
        while name := _get(parameters, f"{prefix}.{len(changes) + 1}.ParameterName"):
            each = f"{prefix}.{len(changes) + 1}"
            method = _get(parameters, f"{each}.ApplyMethod") or "immediate"
            changes.append((name, _get(parameters, f"{each}.ParameterValue"), method))
        try:
            check_parameters(group.get("DBParameterGroupFamily", ""), changes)
        except ValueError as error:
            code = "InvalidParameterCombination" if "apply method" in str(error) else "InvalidParameterValue"
            return _refuse(code, str(error))
        return modify(parameters)

    return checked


def _wrapped(action: Action, wrapper: Callable[[Parameters, Action], Response]) -> Action:
    return lambda parameters: wrapper(parameters, action)


def _get(parameters: Parameters, name: str) -> str:
    return str(first_value(parameters, name))


def _list(parameters: Parameters, name: str) -> list[str]:
    return list(member_list(parameters, name))


def _instance(parameters: Parameters) -> Record:
    """The record that a request names; empty when there is none, which MiniStack's own action then reports."""
    return resolve_instance(_get(parameters, "DBInstanceIdentifier")) or {}


def _set_later_fields(record: Record, parameters: Parameters) -> None:
    for parameter, (field, parse) in _LATER_FIELDS.items():
        if text := _get(parameters, parameter):
            record[field] = parse(text)


def _refuse(code: str, message: str) -> Response:
    response: Response = error_response(code, message, 400)
    return response


def _answer(action: str, record: Record) -> Response:
    response: Response = instance_response(f"{action}Response", f"{action}Result", record)
    return response


def _unless_available(record: Record) -> Response | None:
    return None if record["DBInstanceStatus"] == "available" else _wrong_state(record, "available")


def _wrong_state(record: Record, expected: str) -> Response:
    return _refuse(
        "InvalidDBInstanceState",
        f"Instance {record['DBInstanceIdentifier']} is not {expected}: it is {record['DBInstanceStatus']}",
    )


def _complete(xml: str, record: Record) -> str:
    """Put into the answer what MiniStack leaves empty. As on RDS, there is no endpoint before the first start."""
    exports = "".join(f"<member>{name}</member>" for name in record.get("EnabledCloudwatchLogsExports") or [])
    key = record.get("PerformanceInsightsKMSKeyId")
    xml = xml.replace(
        "<EnabledCloudwatchLogsExports/>",
        f"<EnabledCloudwatchLogsExports>{exports}</EnabledCloudwatchLogsExports>"
        + (f"<PerformanceInsightsKMSKeyId>{key}</PerformanceInsightsKMSKeyId>" if key else ""),
    )
    if is_ours(record) and record["DBInstanceStatus"] == "creating":
        xml = re.sub(r"<Endpoint>.*?</Endpoint>", "", xml, count=1, flags=re.DOTALL)
    return xml
