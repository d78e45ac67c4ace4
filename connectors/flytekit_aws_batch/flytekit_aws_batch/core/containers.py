"""The container of a job, as a job definition has it."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from flytekit_aws_batch.core.job_tags import filled
from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.shapes import role_problems, variable_problem
from flytekit_aws_batch.core.spec import EfsMount, Resources, SecretVariable

OWN_LOG_GROUP: Final = "/aws/batch/job"
"""Where Batch writes what a job prints if its definition does not say where."""

_QUEUE_ARN: Final = re.compile(r"arn:(aws[a-z-]*):batch:([a-z0-9-]+):(\d{12}):job-queue/.+")
_FILE_SYSTEM: Final = re.compile(r"fs-[0-9a-f]{8,40}")
_ACCESS_POINT: Final = re.compile(r"fsap-[0-9a-f]{8,40}")
# https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html
_LONGEST_IMAGE: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a queue is."""

    partition: str
    region: str
    account: str

    @classmethod
    def of(cls, queue_arn: str) -> "Place | None":
        """The place of a queue. None: it is a name and no ARN."""
        match = _QUEUE_ARN.fullmatch(queue_arn)
        return cls(partition=match[1], region=match[2], account=match[3]) if match else None


def job_role(request: JobRequest, settings: Settings) -> str | None:
    """The ARN of the role that the code has."""
    return request.job_role or settings.role_of(settings.job_roles, request.project, request.domain)


def execution_role(request: JobRequest, settings: Settings) -> str | None:
    """The ARN of the role that ECS starts the container with."""
    return request.spec.execution_role or settings.role_of(settings.execution_roles, request.project, request.domain)


def log_group(request: JobRequest, settings: Settings) -> str:
    """The log group of the container."""
    return filled(settings.log_group, request.project, request.domain)


def rounded(resources: Resources, *, fargate: bool) -> tuple[Resources, str | None]:
    """What a container gets where it runs, and what was changed for that, if anything was."""
    vcpus = max(1, math.ceil(resources.vcpus))
    if fargate or vcpus == resources.vcpus:
        return resources, None
    note = f"its {resources.vcpus:g} vCPUs were rounded up to {vcpus}, as instances give whole ones only"
    return resources.model_copy(update={"vcpus": float(vcpus)}), note


def properties(
    request: JobRequest, settings: Settings, *, queue_arn: str, fargate: bool, resources: Resources
) -> dict[str, Any]:
    """The container properties of RegisterJobDefinition: all that is the same for every run of a task.

    Args:
        request: What is asked for, without problems.
        settings: The account.
        queue_arn: The queue's ARN, which says where secrets are.
        fargate: Whether it runs on Fargate.
        resources: What it gets there (:func:`rounded`).
    """
    place = Place.of(queue_arn)
    found: dict[str, Any] = {"image": request.image, "resourceRequirements": _requirements(resources)}
    if role := job_role(request, settings):
        found["jobRoleArn"] = role
    if role := execution_role(request, settings):
        found["executionRoleArn"] = role
    if secrets := request.spec.secrets:
        found["secrets"] = [
            {"name": name, "valueFrom": _value_from(secret, request, settings, place)}
            for name, secret in sorted(secrets.items())
        ]
    if request.spec.mounts:
        found["volumes"] = [
            {"name": f"efs-{position}", "efsVolumeConfiguration": _volume(mount, request, settings)}
            for position, mount in enumerate(request.spec.mounts)
        ]
        found["mountPoints"] = [
            {"sourceVolume": f"efs-{position}", "containerPath": mount.path, "readOnly": mount.read_only}
            for position, mount in enumerate(request.spec.mounts)
        ]
    if request.spec.shared_memory_mib is not None:
        found["linuxParameters"] = {"sharedMemorySize": request.spec.shared_memory_mib}
    group = log_group(request, settings)
    if group != OWN_LOG_GROUP:
        options = {"awslogs-group": group, **({"awslogs-region": place.region} if place else {})}
        found["logConfiguration"] = {"logDriver": "awslogs", "options": options}
    if fargate:
        found |= _on_fargate(request, settings)
    return found


def _requirements(resources: Resources) -> list[dict[str, str]]:
    found = [
        {"type": "VCPU", "value": f"{resources.vcpus:g}"},
        {"type": "MEMORY", "value": str(resources.memory_mib)},
    ]
    return [*found, {"type": "GPU", "value": str(resources.gpus)}] if resources.gpus else found


def _on_fargate(request: JobRequest, settings: Settings) -> dict[str, Any]:
    spec = request.spec
    found: dict[str, Any] = {
        "fargatePlatformConfiguration": {"platformVersion": spec.platform_version or "LATEST"},
        "networkConfiguration": {"assignPublicIp": "ENABLED" if settings.subnet_public else "DISABLED"},
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": spec.architecture.upper()},
    }
    if spec.ephemeral_gib is not None:
        found["ephemeralStorage"] = {"sizeInGiB": spec.ephemeral_gib}
    return found


def secret_id(secret: SecretVariable, request: JobRequest, settings: Settings) -> str:
    """The secret's ARN as it was given, or its whole name."""
    if secret.secret.startswith("arn:"):
        return secret.secret
    prefix = filled(settings.secret_prefix, request.project, request.domain)
    return secret.secret if secret.secret.startswith(prefix) else prefix + secret.secret


def _value_from(secret: SecretVariable, request: JobRequest, settings: Settings, place: Place | None) -> str:
    """What ECS reads: an ARN, and after it the field of the secret's JSON, its version stage and its version.

    An ARN without the six characters that Secrets Manager appends will do:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    arn = secret_id(secret, request, settings)
    if place is not None and not arn.startswith("arn:"):
        arn = f"arn:{place.partition}:secretsmanager:{place.region}:{place.account}:secret:{arn}"
    return f"{arn}:{secret.field}::" if secret.field else arn


def _access_point(mount: EfsMount, request: JobRequest, settings: Settings) -> str | None:
    if mount.access_point is not None:
        return mount.access_point
    points = [one.access_points for name, one in settings.file_systems.items() if mount.file_system in (name, one.id)]
    return points[0].get(f"{request.project}/{request.domain}") if points else None


def _file_system_id(mount: EfsMount, settings: Settings) -> str:
    named = settings.file_systems.get(mount.file_system)
    return named.id if named else mount.file_system


def _volume(mount: EfsMount, request: JobRequest, settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {"fileSystemId": _file_system_id(mount, settings), "transitEncryption": "ENABLED"}
    point = _access_point(mount, request, settings)
    if point is not None:
        found["authorizationConfig"] = {"accessPointId": point, "iam": "ENABLED"}
    elif mount.root is not None:
        found["rootDirectory"] = mount.root
    return found


def problems(request: JobRequest, settings: Settings, *, queue_arn: str | None, fargate: bool | None) -> Iterator[str]:
    """What is wrong with a container in this account.

    Args:
        request: What is asked for.
        settings: The account.
        queue_arn: The queue's ARN or name. None: there is none.
        fargate: Whether it runs on Fargate. None: nobody knows.
    """
    if not 1 <= len(request.image) <= _LONGEST_IMAGE or re.search(r"\s", request.image):
        yield f"image={request.image!r}: 1 to {_LONGEST_IMAGE} characters without spaces, such as python:3.13.1"
    yield from _variable_problems(request)
    if role := job_role(request, settings):
        yield from role_problems("the job's role", role)
    needs = [need for need, needed in (("Fargate", fargate), ("secrets", request.spec.secrets)) if needed]
    if needs and execution_role(request, settings) is None:
        yield (
            "execution_role is missing, with which ECS starts the container: needed for "
            f"{' and '.join(needs)}; give its ARN, or have one written into the settings for {request.project} in "
            f"{request.domain}"
        )
    by_name = [one.secret for one in request.spec.secrets.values() if not one.secret.startswith("arn:")]
    if by_name and queue_arn is not None and Place.of(queue_arn) is None:
        yield (
            f"secrets: {', '.join(sorted(set(by_name)))}: the queue's name does not say in which account; give the "
            "queue's ARN, or the secrets'"
        )
    for position, mount in enumerate(request.spec.mounts):
        yield from _mount_problems(f"mounts[{position}]", mount, request, settings)


def _variable_problems(request: JobRequest) -> Iterator[str]:
    for name in sorted(request.environment):
        if problem := variable_problem(name):
            yield problem
        if name in request.spec.secrets:
            yield f"environment: {name!r} is a secret, too; leave out one of them"


def _mount_problems(here: str, mount: EfsMount, request: JobRequest, settings: Settings) -> Iterator[str]:
    identity = _file_system_id(mount, settings)
    if mount.file_system and not _FILE_SYSTEM.fullmatch(identity):
        names = ", ".join(sorted(settings.file_systems))
        yield (
            f"{here}.file_system={mount.file_system!r}: the settings have {names or 'no file systems'}; give "
            f"{names and 'one of those, or '}an ID such as fs-0123456789abcdef0"
        )
    point = _access_point(mount, request, settings)
    space = f"{request.project}/{request.domain}"
    if point is None:
        for name, one in settings.file_systems.items():
            if mount.file_system in (name, one.id) and one.access_points:
                yield (
                    f"{here}.file_system={mount.file_system!r}: {space} has no access point there; give access_point, "
                    "or have one made and written into the settings"
                )
        return
    if not _ACCESS_POINT.fullmatch(point):
        yield f"{here}.access_point={point!r}: an ID such as fsap-0123456789abcdef0 is needed"
    if mount.root not in (None, "/") and mount.access_point is None:
        yield (
            f"{here}.root={mount.root!r}: {space} mounts by the access point {point}, which has a root of its own; "
            "leave root out"
        )
    if job_role(request, settings) is None:
        yield (
            f"{here}: an access point is mounted with the job's role, and there is none; give the execution or the "
            "task an IAM role"
        )
