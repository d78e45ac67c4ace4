"""What the commands print."""

import json
import os
import sys
import time
from collections import deque
from typing import Any

import psutil

from aerodrome_local import processes
from aerodrome_local.instance import Instance, LocalAwsError, Server, get_json
from aerodrome_local.lifecycle import Started, Stopped

DEFAULT_ACCOUNT = "111122223333"
"""Shown in the exports before anything is deployed: the account of `environments/dev.yaml` as it is shipped."""


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _write_json(value: object) -> None:
    _write(json.dumps(value, indent=2))


def exports(server: Server, account: str, region: str) -> dict[str, str]:
    """The environment variables that point an AWS SDK, the CDK CLI or the AWS CLI v2 at the embedded AWS."""
    return {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": account,  # a 12-digit key is the account
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def started(instance: Instance, result: Started, *, as_json: bool) -> None:
    """Say that it is up, and where."""
    if as_json:
        _write_json(
            {
                "endpoint": result.server.endpoint,
                "pid": result.server.pid,
                "port": result.server.port,
                "state_dir": str(instance.directory),
                "already_up": result.already_up,
            }
        )
        return
    was = " already" if result.already_up else ""
    _write(f"the embedded AWS is{was} up at {result.server.endpoint} (pid {result.server.pid})")
    if result.moved_from is not None:
        _write(
            f"port {result.moved_from} of the last run is taken by another program, so it has a new one: "
            "endpoints kept in the state, such as the cluster's OIDC issuer, still name the old port"
        )


def stopped(result: Stopped, *, as_json: bool) -> None:
    """Say that it is down, and which processes had to be killed."""
    if as_json:
        _write_json({"was_up": result.was_up, "killed": list(result.killed)})
        return
    _write("the embedded AWS is down" if result.was_up else "the embedded AWS was not up")
    if result.killed:
        _write(f"killed because they did not end when asked: {', '.join(result.killed)}")


def reset(instance: Instance, *, deleted: bool, as_json: bool) -> None:
    """Say what was deleted."""
    if as_json:
        _write_json({"deleted": str(instance.directory) if deleted else None})
        return
    _write(f"deleted {instance.directory}" if deleted else f"there is no state to delete: {instance.directory}")


def status(instance: Instance, *, as_json: bool) -> bool:
    """Print what is up; whether it is."""
    server = instance.server()
    inside = None if server is None else get_json(server, "/_aerodrome/status")
    if server is None or inside is None:
        if as_json:
            _write_json({"up": False, "state_dir": str(instance.directory), "has_state": instance.is_ours()})
        else:
            _write(f"the embedded AWS is down; start it with `aerodrome local up` (state: {instance.directory})")
        return False
    facts = _facts(instance, server, inside["accounts"])
    if as_json:
        _write_json(facts)
        return True
    _write(f"endpoint    {server.endpoint} (pid {server.pid}, up {facts['uptime_seconds']:.0f} s)")
    _write(f"state       {instance.directory}")
    for account, entry in facts["accounts"].items():
        _write(f"account     {account}: {len(entry['stacks'])} stacks, {entry['resources']} resources")
        for name, stack_status in sorted(entry["stacks"].items()):
            _write(f"              {name}  {stack_status}")
        for database in entry["databases"]:
            _write(
                f"              PostgreSQL {database['version']} {database['identifier']} at {database['endpoint']} "
                f"({database['status']})"
            )
    # Version 1 has endpoints of its own for the two: awscli/customizations/overridesslcommonname.py in aws/aws-cli.
    _write(
        "use it with boto3, the CDK or the AWS CLI 2, "
        "not with the AWS CLI 1, which ignores AWS_ENDPOINT_URL for SQS and RDS and would call AWS itself"
    )
    for name, value in facts["exports"].items():
        _write(f"  export {name}={value}")
    return True


def _facts(instance: Instance, server: Server, accounts: dict[str, Any]) -> dict[str, Any]:
    for account, entry in accounts.items():
        entry["databases"] = [
            database for region in entry["regions"] for database in _databases(server, account, region)
        ]
    account, entry = next(iter(accounts.items()), (DEFAULT_ACCOUNT, {"regions": ["us-east-1"]}))
    members = processes.of_instance(instance.directory)
    return {
        "up": True,
        "endpoint": server.endpoint,
        "pid": server.pid,
        "port": server.port,
        "state_dir": str(instance.directory),
        "uptime_seconds": round(time.time() - server.create_time, 1),
        "accounts": accounts,
        "processes": [{"pid": process.pid, "name": process.name()} for process in members if process.is_running()],
        "listening": _listening(members),
        "exports": exports(server, account, entry["regions"][0]),
    }


def _databases(server: Server, account: str, region: str) -> list[dict[str, str]]:
    # boto3 takes longer to import than any other command takes in all.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above

    from aerodrome_local.cloudformation import make_client  # noqa: PLC0415 - see above

    try:
        instances = make_client("rds", server.endpoint, account, region).describe_db_instances()["DBInstances"]
    except (BotoCoreError, ClientError):
        return []  # `status` tells what it can
    return [
        {
            "identifier": instance["DBInstanceIdentifier"],
            "version": instance.get("EngineVersion", "?"),
            "status": instance.get("DBInstanceStatus", "?"),
            "endpoint": "{Address}:{Port}".format(**instance.get("Endpoint") or {"Address": "?", "Port": "?"}),
        }
        for instance in instances
    ]


def _listening(members: list[psutil.Process]) -> list[str]:
    """The addresses on which any process of the instance listens."""
    addresses: set[str] = set()
    for process in members:
        try:
            connections = process.net_connections(kind="inet")
        except psutil.Error:
            continue
        addresses.update(
            f"{connection.laddr.ip}:{connection.laddr.port}"
            for connection in connections
            if connection.status == psutil.CONN_LISTEN
        )
    return sorted(addresses)


def logs(instance: Instance, *, lines: int, follow: bool) -> None:
    """Print the end of the log, and with ``follow`` what is added until Ctrl-C.

    Raises:
        LocalAwsError: There is no log.
    """
    if not instance.log_file.exists():
        raise LocalAwsError(f"there is no log yet ({instance.log_file}): start it with `aerodrome local up`")
    file = instance.log_file.open(encoding="utf-8", errors="replace")
    try:
        # From one reading to the next, so that no line that is written meanwhile is lost.
        for line in deque(file, maxlen=lines):
            sys.stdout.write(line)
        sys.stdout.flush()
        while follow:
            line = file.readline()
            if line:
                sys.stdout.write(line)
                sys.stdout.flush()
                continue
            time.sleep(0.2)
            if instance.log_file.exists() and instance.log_file.stat().st_ino != os.fstat(file.fileno()).st_ino:
                file.close()
                file = instance.log_file.open(encoding="utf-8", errors="replace")  # a new run began
    except KeyboardInterrupt:
        return
    finally:
        file.close()


def releases(instance: Instance, name: str | None, *, as_json: bool) -> None:
    """Print the recorded Helm releases, or everything about one.

    Raises:
        LocalAwsError: The embedded AWS is down, or has no such release.
    """
    server = instance.server()
    recorded = None if server is None else get_json(server, "/_aerodrome/releases")
    if recorded is None:
        raise LocalAwsError("the embedded AWS is down: start it with `aerodrome local up`")
    found = [release for release in recorded if name in (None, release["release"])]
    if name is not None and not found:
        known = ", ".join(sorted(release["release"] for release in recorded)) or "none"
        raise LocalAwsError(f"there is no Helm release {name!r}; recorded are: {known}")
    if as_json:
        _write_json(found)
        return
    for release in found:
        chart = f"{release['chart']} {release['version'] or ''}".strip()
        rendered = release["rendered"]
        not_rendered = rendered["reason"] if name is not None else "not rendered"
        what = f"{rendered['objects']} objects" if rendered["done"] else not_rendered
        _write(
            f"{release['release']}  {chart}  namespace {release['namespace']}  cluster {release['cluster']}  "
            f"revision {release['revision']}  ({what})"
        )
        if name is not None:
            _write("values:")
            _write_json(release["values"])
            if rendered["done"]:
                _write("manifests:")
                _write(rendered["manifest"])
