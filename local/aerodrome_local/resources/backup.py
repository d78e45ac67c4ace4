"""AWS Backup: what MiniStack lacks of vaults (locks, access policies, notifications), and backup selections.

Nothing is backed up here: plans are kept and given back, and never run.
"""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from aerodrome_local.ministack_private import SERVICE_HANDLERS, backup_vaults
from aerodrome_local.resources.conversion import only_known, pick
from aerodrome_local.runtime import Created, Properties, Response, Runtime

_SECONDS_A_DAY = 86_400
# Members of a vault's record beside those that MiniStack keeps in it.
_LOCK = ("MinRetentionDays", "MaxRetentionDays", "LockDate")
_POLICY, _NOTIFICATIONS = "AccessPolicyText", "NotificationConfiguration"

Vault = dict[str, Any]


def install(runtime: Runtime) -> None:
    """Answer the part of the API that MiniStack lacks, and register the types."""
    built_in = SERVICE_HANDLERS["backup"]

    async def answer(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        match [unquote(part) for part in path.strip("/").split("/")]:
            case ["backup-vaults", name, what] if (method, what) in _ANSWERS:
                vault = backup_vaults.get(name)
                if vault is None:
                    return _error(404, "ResourceNotFoundException", f"There is no backup vault {name}.")
                return _ANSWERS[method, what](vault, json.loads(body) if body else {})
        result: Response = await built_in(method, path, headers, body, query)
        return result

    runtime.route("backup", answer)
    runtime.on_create("AWS::Backup::BackupVault", lambda name, given, _: complete_vault(runtime, name, given))
    selections = _Selections(runtime)
    runtime.resource(
        "AWS::Backup::BackupSelection",
        create=selections.create,
        update=None,
        delete=selections.delete,
        replaces=("BackupPlanId", "BackupSelection"),
    )


def complete_vault(runtime: Runtime, name: str, properties: Properties) -> None:
    """Give a vault the lock, the policy and the notifications that its properties have, and take away others."""
    client = runtime.client("backup")
    lock = properties.get("LockConfiguration")
    if lock:
        only_known("LockConfiguration", lock, ("ChangeableForDays", "MinRetentionDays", "MaxRetentionDays"))
        days = {member: int(value) for member, value in lock.items()}
        client.put_backup_vault_lock_configuration(BackupVaultName=name, **days)
    else:
        client.delete_backup_vault_lock_configuration(BackupVaultName=name)
    policy = properties.get("AccessPolicy")
    if policy:
        client.put_backup_vault_access_policy(BackupVaultName=name, Policy=json.dumps(policy))
    else:
        client.delete_backup_vault_access_policy(BackupVaultName=name)
    told = properties.get("Notifications")
    if told:
        client.put_backup_vault_notifications(BackupVaultName=name, **pick(told, "SNSTopicArn", "BackupVaultEvents"))
    else:
        client.delete_backup_vault_notifications(BackupVaultName=name)


class _Selections:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        plan = properties["BackupPlanId"]
        given = properties["BackupSelection"]
        only_known(
            "BackupSelection",
            given,
            ("Conditions", "IamRoleArn", "ListOfTags", "NotResources", "Resources", "SelectionName"),
        )
        selection = self._runtime.client("backup").create_backup_selection(BackupPlanId=plan, BackupSelection=given)
        selection_id = selection["SelectionId"]
        identifier = f"{plan}_{selection_id}"
        return identifier, {"Id": identifier, "BackupPlanId": plan, "SelectionId": selection_id}

    def delete(self, physical_id: str, _properties: Properties) -> None:
        plan, _, selection_id = physical_id.partition("_")
        try:
            self._runtime.client("backup").delete_backup_selection(BackupPlanId=plan, SelectionId=selection_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise


def _is_immutable(name: str) -> bool:
    vault = backup_vaults.get(name)
    return vault is not None and vault.get("LockDate", float("inf")) <= time.time()


def _put_lock(vault: Vault, given: dict[str, int]) -> Response:
    if _is_immutable(vault["BackupVaultName"]):
        return _error(400, "InvalidRequestException", "The vault's lock can no longer be changed.")
    for member in _LOCK:
        vault.pop(member, None)
    vault.update(pick(given, "MinRetentionDays", "MaxRetentionDays"), Locked=True)
    if "ChangeableForDays" in given:
        vault["LockDate"] = int(time.time()) + given["ChangeableForDays"] * _SECONDS_A_DAY
    return _ok()


def _delete_lock(vault: Vault, _given: object) -> Response:
    if _is_immutable(vault["BackupVaultName"]):
        return _error(400, "InvalidRequestException", "The vault's lock can no longer be taken off.")
    for member in _LOCK:
        vault.pop(member, None)
    vault["Locked"] = False
    return _ok()


def _put_policy(vault: Vault, given: dict[str, Any]) -> Response:
    vault[_POLICY] = given["Policy"]
    return _ok()


def _get_policy(vault: Vault, _given: object) -> Response:
    if _POLICY not in vault:
        return _error(404, "ResourceNotFoundException", f"Vault {vault['BackupVaultName']} has no access policy.")
    return _ok({**pick(vault, "BackupVaultName", "BackupVaultArn"), "Policy": vault[_POLICY]})


def _delete_policy(vault: Vault, _given: object) -> Response:
    vault.pop(_POLICY, None)
    return _ok()


def _put_notifications(vault: Vault, given: dict[str, Any]) -> Response:
    vault[_NOTIFICATIONS] = pick(given, "SNSTopicArn", "BackupVaultEvents")
    return _ok()


def _get_notifications(vault: Vault, _given: object) -> Response:
    if _NOTIFICATIONS not in vault:
        return _error(404, "ResourceNotFoundException", f"Vault {vault['BackupVaultName']} notifies nobody.")
    return _ok({**pick(vault, "BackupVaultName", "BackupVaultArn"), **vault[_NOTIFICATIONS]})


def _delete_notifications(vault: Vault, _given: object) -> Response:
    vault.pop(_NOTIFICATIONS, None)
    return _ok()


_ANSWERS: dict[tuple[str, str], Callable[[Vault, dict[str, Any]], Response]] = {
    ("PUT", "vault-lock"): _put_lock,
    ("DELETE", "vault-lock"): _delete_lock,
    ("PUT", "access-policy"): _put_policy,
    ("GET", "access-policy"): _get_policy,
    ("DELETE", "access-policy"): _delete_policy,
    ("PUT", "notification-configuration"): _put_notifications,
    ("GET", "notification-configuration"): _get_notifications,
    ("DELETE", "notification-configuration"): _delete_notifications,
}


def _ok(answer: dict[str, Any] | None = None) -> Response:
    return 200, {"Content-Type": "application/json"}, b"" if answer is None else json.dumps(answer).encode()


def _error(status: int, code: str, message: str) -> Response:
    body = json.dumps({"__type": code, "Message": message}).encode()
    return status, {"Content-Type": "application/json", "x-amzn-errortype": code}, body
