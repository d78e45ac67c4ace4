"""What AWS Batch offers and what it would refuse, as far as can be said without looking into an account."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from flytekit_aws_batch.core.job_tags import author_problems
from flytekit_aws_batch.core.retries import rule_problems
from flytekit_aws_batch.core.spec import KINDS, MOST_CHILDREN, JobSpec, Resources

FARGATE_MEMORY_MIB: Final[Mapping[float, Sequence[int]]] = MappingProxyType(
    {
        0.25: (512, 1024, 2048),
        0.5: range(1024, 4096 + 1, 1024),
        1: range(2048, 8192 + 1, 1024),
        2: range(4096, 16384 + 1, 1024),
        4: range(8192, 30720 + 1, 1024),
        8: range(16384, 61440 + 1, 4096),
        16: range(32768, 122880 + 1, 8192),
        32: (61440, 122880, 249856),
    }
)
"""The sizes of memory, in MiB, that each number of vCPUs goes with on Fargate
(https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html)."""

LEAST_MEMORY_MIB: Final = 4
"""Of a container on instances, in the same place."""

_VARIABLE: Final = re.compile(r"[^\s=\0]+")
# https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
_OF_BATCH: Final = "AWS_BATCH"
# What every job is given: a variable may be there once only.
_OF_THE_CONNECTOR: Final = ("FLYTE_AWS_BATCH_", "FLYTE_FAIL_ON_ERROR")
_SHARE: Final = re.compile(r"[A-Za-z0-9]{1,255}")
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_PLATFORM_VERSION: Final = re.compile(r"LATEST|(\d+)\.(\d+)\.(\d+)")
# https://docs.aws.amazon.com/batch/latest/APIReference/API_EFSVolumeConfiguration.html
_FIRST_PLATFORM_WITH_EFS: Final = (1, 4, 0)
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
_SECRET_NAME: Final = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_SECRET_ARN: Final = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+")
_ARN_ENDING: Final = re.compile(r".+-[A-Za-z0-9]{6}")


def on_fargate(spec: JobSpec) -> bool | None:
    """Whether a task runs on Fargate, by what it says itself. None: its queue decides, which it names."""
    if spec.queue == "fargate":
        return True
    if spec.queue is None or spec.queue in KINDS:
        return False
    return None


def spec_problems(
    spec: JobSpec,
    resources: Resources,
    *,
    retries: int,
    timeout_seconds: int | None,
    array_size: int | None = None,
) -> list[str]:
    """What is wrong with a task whatever the account: for its registration, and once more before it is run.

    Args:
        spec: What it says of its job.
        resources: What its container gets.
        retries: How often a failure of its code is tried again.
        timeout_seconds: The longest that an attempt may take. None: no limit.
        array_size: How many elements its list has, where that is known. None: it is one job, or nobody knows yet.

    Returns:
        Each problem in words: the value, what is allowed, and how to mend it. Empty: none.
    """
    fargate = on_fargate(spec)
    return [
        *_number_problems(retries, timeout_seconds, array_size),
        *_node_problems(spec, array_size),
        *([] if fargate is None else platform_problems(spec, resources, fargate=fargate)),
        *_architecture_problems(spec, resources),
        *rule_problems(spec),
        *_queue_problems(spec),
        *_share_problems(spec),
        *_role_problems(spec),
        *_secret_problems(spec),
        *_mount_problems(spec),
        *author_problems(spec.tags),
    ]


def platform_problems(spec: JobSpec, resources: Resources, *, fargate: bool) -> Iterator[str]:
    """What is wrong with a task on Fargate, or on instances.

    Args:
        spec: What it says of its job.
        resources: What its container gets.
        fargate: Whether it runs on Fargate.
    """
    if resources.gpus < 0:
        yield f"gpus={resources.gpus}: 0 or more; leave it out for none"
    if fargate:
        yield from _fargate_problems(spec, resources)
        return
    if not 0 < resources.vcpus < float("inf"):
        yield f"vcpus={resources.vcpus:g}: more than 0; give 1 or more"
    if resources.memory_mib < LEAST_MEMORY_MIB:
        yield f"memory_mib={resources.memory_mib}: Batch takes {LEAST_MEMORY_MIB} or more"
    if spec.platform_version is not None:
        yield f"platform_version={spec.platform_version!r}: only Fargate has one; leave it out, or use queue='fargate'"
    if spec.ephemeral_gib is not None:
        yield (
            f"ephemeral_gib={spec.ephemeral_gib}: only a task on Fargate has a disk of its own; leave it out, or use "
            "queue='fargate'"
        )
    if spec.shared_memory_mib is not None and spec.shared_memory_mib > resources.memory_mib:
        yield (
            f"shared_memory_mib={spec.shared_memory_mib}: it is part of the container's memory, "
            f"{resources.memory_mib} MiB; choose at most that"
        )


def _fargate_problems(spec: JobSpec, resources: Resources) -> Iterator[str]:
    if problem := fargate_size_problem(resources.vcpus, resources.memory_mib):
        yield problem
    if resources.gpus > 0:
        yield f"gpus={resources.gpus}: Fargate has none; use queue='gpu'"
    if spec.nodes > 1:
        yield f"nodes={spec.nodes}: Fargate takes no multi-node jobs; use queue='on-demand'"
    if spec.shared_memory_mib is not None:
        yield f"shared_memory_mib={spec.shared_memory_mib}: not on Fargate; leave it out, or use queue='spot'"
    if spec.platform_version is None:
        return
    match = _PLATFORM_VERSION.fullmatch(spec.platform_version)
    if match is None:
        yield f"platform_version={spec.platform_version!r}: LATEST, or a version such as 1.4.0; leave it out for LATEST"
    elif spec.mounts and match[1] and tuple(map(int, match.groups())) < _FIRST_PLATFORM_WITH_EFS:
        yield f"platform_version={spec.platform_version!r} mounts no EFS; give 1.4.0 or later, or leave it out"


def fargate_size_problem(vcpus: float, memory_mib: int) -> str | None:
    """What is wrong with a size on Fargate, and what would be right. None: nothing.

    Args:
        vcpus: The vCPUs.
        memory_mib: The memory, in MiB.
    """
    sizes = FARGATE_MEMORY_MIB.get(vcpus)
    if sizes is None:
        return f"vcpus={vcpus:g}: Fargate has {_in_words([f'{one:g}' for one in FARGATE_MEMORY_MIB])}; give one of them"
    if memory_mib in sizes:
        return None
    wished = f"memory_mib={memory_mib} with {vcpus:g} vCPUs: Fargate has {_listed(sizes)}"
    others = [f"{other:g}" for other, offered in FARGATE_MEMORY_MIB.items() if memory_mib in offered]
    remedy = f", or {_in_words(others)} vCPUs" if others else ""
    return f"{wished}; give one of them{remedy}"


def _listed(sizes: Sequence[int]) -> str:
    if isinstance(sizes, range):
        return f"{sizes[0]} to {sizes[-1]} in steps of {sizes.step}"
    return ", ".join(map(str, sizes))


def _in_words(values: Sequence[str]) -> str:
    *first, last = values
    return f"{', '.join(first)} or {last}" if first else last


def _number_problems(retries: int, timeout_seconds: int | None, array_size: int | None) -> Iterator[str]:
    if retries < 0:
        yield f"retries={retries}: 0 or more"
    if timeout_seconds is not None and timeout_seconds < 0:
        yield f"timeout={timeout_seconds} s: 60 s or more; leave it out for no limit"
    if array_size is not None and not 1 <= array_size <= MOST_CHILDREN:
        yield (
            f"a list of {array_size} elements: an array of Batch has 1 to {MOST_CHILDREN:,}; give each element more "
            "to do, or map over several lists"
        )


def _node_problems(spec: JobSpec, array_size: int | None) -> Iterator[str]:
    if spec.nodes == 1:
        return
    if array_size is not None:
        yield f"nodes={spec.nodes} in a list: no array of Batch has multi-node jobs; give nodes=1, or map in a workflow"
    if spec.queue == "spot":
        # https://docs.aws.amazon.com/batch/latest/userguide/mnp-ce.html
        yield f"nodes={spec.nodes} on queue='spot': Batch runs multi-node jobs on no spot instances; use 'on-demand'"


def _architecture_problems(spec: JobSpec, resources: Resources) -> Iterator[str]:
    if spec.queue == "arm" and spec.architecture == "x86_64":
        yield "architecture='x86_64' on queue='arm': give architecture='arm64' if the image is built for it"
    if resources.gpus > 0 and spec.queue in ("spot", "on-demand", "arm"):
        yield f"gpus={resources.gpus} on queue={spec.queue!r}: use queue='gpu', or leave the queue out"


def _queue_problems(spec: JobSpec) -> Iterator[str]:
    if spec.queue is not None and not spec.queue.strip():
        yield f"queue={spec.queue!r}: {_in_words(KINDS)}, or a queue's name or ARN; or leave it out"


def _share_problems(spec: JobSpec) -> Iterator[str]:
    if spec.share is not None and not _SHARE.fullmatch(spec.share):
        yield f"share={spec.share!r}: 1 to 255 letters and digits; leave it out for the project's own"


def _role_problems(spec: JobSpec) -> Iterator[str]:
    if spec.execution_role is not None:
        yield from role_problems("execution_role", spec.execution_role)


def role_problems(what: str, arn: str) -> Iterator[str]:
    """What is wrong with a role's ARN.

    Args:
        what: What it is, for the message.
        arn: What was given.
    """
    if not _ROLE.fullmatch(arn):
        yield f"{what}={arn!r}: the ARN of a role is needed, such as arn:aws:iam::111122223333:role/name"


def variable_problem(name: str) -> str | None:
    """What is wrong with an environment variable's name. None: nothing."""
    if name.startswith(_OF_BATCH):
        return f"environment: {name!r}: Batch keeps names that begin with {_OF_BATCH} for itself; give it another name"
    if not _VARIABLE.fullmatch(name):
        return f"environment: {name!r}: a name has no spaces and no equals sign; give it another name"
    return None


def _secret_problems(spec: JobSpec) -> Iterator[str]:
    for variable, secret in sorted(spec.secrets.items()):
        here = f"secrets[{variable!r}]"
        if problem := variable_problem(variable):
            yield problem
        if variable.startswith(_OF_THE_CONNECTOR):
            yield f"{here}: every job has a variable of that name already; give it another name"
        if secret.secret.startswith("arn:"):
            if not _SECRET_ARN.fullmatch(secret.secret):
                yield f"{here}.secret={secret.secret!r}: the ARN of a secret of Secrets Manager is needed, or its name"
        elif not _SECRET_NAME.fullmatch(secret.secret):
            yield f"{here}.secret={secret.secret!r}: letters, digits and /_+=.@-; give the name that it has"
        elif _ARN_ENDING.fullmatch(secret.secret):
            yield (
                f"{here}.secret={secret.secret!r}: Secrets Manager takes a hyphen and six characters for the end of an "
                "ARN; give the secret's ARN"
            )
        if secret.field is not None and (not secret.field or ":" in secret.field):
            yield f"{here}.field={secret.field!r}: the name of a field of the secret's JSON, without colons"


def _mount_problems(spec: JobSpec) -> Iterator[str]:
    seen: set[str] = set()
    for position, mount in enumerate(spec.mounts):
        here = f"mounts[{position}]"
        path = mount.path.rstrip("/")
        if not path.startswith("/"):
            yield f"{here}.path={mount.path!r}: an absolute path below the root, such as /data"
        elif path in seen:
            yield f"{here}.path={mount.path!r}: another file system is mounted there; give it a path of its own"
        seen.add(path)
        if not mount.file_system:
            yield f"{here}.file_system is empty: give the ID of a file system of EFS, or its name in the settings"
        if mount.root is not None and not mount.root.startswith("/"):
            yield f"{here}.root={mount.root!r}: an absolute path in the file system, such as /models"
        if mount.access_point is not None and mount.root not in (None, "/"):
            yield f"{here}: access_point and root: an access point has a root of its own; leave one of them out"
