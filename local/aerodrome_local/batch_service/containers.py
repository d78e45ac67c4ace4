"""Container properties: what a definition may say, and what definition and submission give together."""

import copy
import re
from collections.abc import Iterable, Mapping

from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.model import Json

EC2 = "EC2"
FARGATE = "FARGATE"

RESERVED_PREFIX = "AWS_BATCH"

# vCPU: (smallest memory, largest memory, step), MiB. Where the steps are irregular the values are listed.
# https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html
_FARGATE_MEMORY: dict[str, Iterable[int]] = {
    "0.25": (512, 1024, 2048),
    "0.5": range(1024, 4096 + 1, 1024),
    "1": range(2048, 8192 + 1, 1024),
    "2": range(4096, 16384 + 1, 1024),
    "4": range(8192, 30720 + 1, 1024),
    "8": range(16384, 61440 + 1, 4096),
    "16": range(32768, 122880 + 1, 8192),
    "32": (61440, 122880, 249856),
}

# https://docs.aws.amazon.com/batch/latest/APIReference/API_LinuxParameters.html
_LINUX_NOT_ON_FARGATE = ("devices", "sharedMemorySize", "tmpfs", "maxSwap", "swappiness")
# https://docs.aws.amazon.com/batch/latest/APIReference/API_EphemeralStorage.html
_EPHEMERAL_STORAGE_GIB = range(21, 200 + 1)
_NOT_ON_FARGATE = ("privileged", "ulimits", "instanceType")
_ONLY_ON_FARGATE = ("networkConfiguration", "fargatePlatformConfiguration", "ephemeralStorage", "runtimePlatform")
_PLACEHOLDER = re.compile(r"Ref::([A-Za-z0-9_-]+)")


def normalized(properties: Json, platform: str) -> Json:
    """A definition's container properties as DescribeJobDefinitions gives them.

    ``vcpus`` and ``memory``, which AWS has deprecated, become resource requirements.

    Raises:
        ClientException: Properties that AWS refuses for this platform.
    """
    container = copy.deepcopy(properties)
    if not container.get("image"):
        raise ClientException("Error executing request, Exception : Container.image must not be empty")
    requirements = container.setdefault("resourceRequirements", [])
    given = {each["type"] for each in requirements}
    for old, kind in (("vcpus", "VCPU"), ("memory", "MEMORY")):
        value = container.pop(old, None)
        if value and kind not in given:
            requirements.append({"type": kind, "value": str(value)})
    for member in ("command", "volumes", "environment", "mountPoints", "ulimits", "secrets"):
        container.setdefault(member, [])
    check(container, platform)
    if platform == FARGATE:
        container.pop("ulimits")
        container.setdefault("fargatePlatformConfiguration", {"platformVersion": "LATEST"})
        container.setdefault("networkConfiguration", {"assignPublicIp": "DISABLED"})
    return container


def check(container: Json, platform: str) -> None:
    """Check container properties, as of a definition or after a submission's overrides.

    Raises:
        ClientException: Properties that AWS refuses for this platform.
    """
    requirements = {each["type"]: each["value"] for each in container["resourceRequirements"]}
    for kind in ("VCPU", "MEMORY"):
        if kind not in requirements:
            raise ClientException(
                f"Error executing request, Exception : resourceRequirements must have an entry of type {kind}, "
                f"for example {{'type': '{kind}', 'value': '{'1' if kind == 'VCPU' else '2048'}'}}"
            )
    _check_environment(each.get("name", "") for each in container["environment"])
    if platform == FARGATE:
        _check_fargate(container, requirements)
        return
    for kind, value in requirements.items():
        if not value.isdecimal() or int(value) < 1:
            raise ClientException(f"Error executing request, Exception : {kind} must be a whole number, not {value!r}")
    for member in _ONLY_ON_FARGATE:
        if container.get(member) is not None:
            raise ClientException(f"Error executing request, Exception : {member} not applicable for EC2.")


def _check_environment(names: Iterable[str]) -> None:
    for name in names:
        if name.startswith(RESERVED_PREFIX):
            raise ClientException(
                f"Error executing request, Exception : environment variable {name!r}: names that start with "
                f"{RESERVED_PREFIX} are reserved for variables that AWS Batch sets"
            )


def _check_fargate(container: Json, requirements: Mapping[str, str]) -> None:
    for member in _NOT_ON_FARGATE:
        if container.get(member):
            raise ClientException(f"Error executing request, Exception : {member} not applicable for Fargate.")
    for member in _LINUX_NOT_ON_FARGATE:
        if (container.get("linuxParameters") or {}).get(member) is not None:
            raise ClientException(
                f"Error executing request, Exception : linuxParameters.{member} not applicable for Fargate."
            )
    storage = (container.get("ephemeralStorage") or {}).get("sizeInGiB")
    if storage is not None and storage not in _EPHEMERAL_STORAGE_GIB:
        raise ClientException(
            f"Error executing request, Exception : ephemeralStorage.sizeInGiB={storage}: must be from "
            f"{_EPHEMERAL_STORAGE_GIB[0]} to {_EPHEMERAL_STORAGE_GIB[-1]}"
        )
    if "GPU" in requirements:
        raise ClientException("Error executing request, Exception : GPU not applicable for Fargate.")
    if not container.get("executionRoleArn"):
        raise ClientException("Error executing request, Exception : EXECUTION_ROLE_ARN is required for Fargate jobs.")
    vcpus, memory = requirements["VCPU"], requirements["MEMORY"]
    allowed = _FARGATE_MEMORY.get(vcpus.removesuffix(".0"))
    if allowed is None or not memory.isdecimal() or int(memory) not in allowed:
        choices = sorted(_FARGATE_MEMORY, key=float) if allowed is None else allowed
        what = "VCPU" if allowed is None else f"MEMORY with VCPU={vcpus}"
        raise ClientException(
            f"Error executing request, Exception : Fargate resource requirements (VCPU={vcpus}, MEMORY={memory}) not "
            f"valid; {what} is one of {', '.join(str(choice) for choice in choices)}"
        )


def overridden(container: Json, overrides: Json, platform: str) -> Json:
    """Container properties with a submission's overrides.

    Raises:
        ClientException: The result is one that AWS refuses.
    """
    result = copy.deepcopy(container)
    if overrides.get("command"):
        result["command"] = overrides["command"]
    if overrides.get("instanceType"):
        result["instanceType"] = overrides["instanceType"]
    # A list of named things: an override replaces the entry of its name and adds one that is not there.
    result["environment"] = _merged(result["environment"], overrides.get("environment"), "name")
    requirements = list(overrides.get("resourceRequirements") or [])
    for old, kind in (("vcpus", "VCPU"), ("memory", "MEMORY")):
        if overrides.get(old):
            requirements.append({"type": kind, "value": str(overrides[old])})
    result["resourceRequirements"] = _merged(result["resourceRequirements"], requirements, "type")
    check(result, platform)
    return result


def _merged(original: list[Json], changes: list[Json] | None, key: str) -> list[Json]:
    by_key = {each.get(key): each for each in original}
    by_key.update({each.get(key): each for each in changes or []})
    return list(by_key.values())


def substituted(command: Iterable[str], parameters: Mapping[str, str]) -> list[str]:
    """A command with each ``Ref::name`` replaced by the parameter's value.

    Raises:
        ClientException: There is no such parameter.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in parameters:
            raise ClientException(f"Unable to substitute value. No parameter found for reference {name}")
        return parameters[name]

    return [_PLACEHOLDER.sub(value, word) for word in command]
