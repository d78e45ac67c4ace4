"""A kind of AWS Batch job: a container that is tried again when its host is taken away, and not when its code fails."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_batch as batch
from constructs import Construct

from aerodrome_constructs.batch.container import Container, InvalidJobError, Platform
from aerodrome_constructs.batch.retry import retry_strategy

_Definition = batch.CfnJobDefinition
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticMount:
    """A directory of an EFS file system, as a container sees it.

    Attributes:
        path: Where the container has it, such as ``/mnt/efs``.
        file_system_id: The file system.
        access_point_id: The access point whose root the directory is. The job's role must be let through it.
    """

    path: str
    file_system_id: str
    access_point_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMount:
    """A directory of the instance, as a container sees it, such as where a Lustre file system is mounted.

    Attributes:
        path: Where the container has it, and where the instance has it.
    """

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerJobProps:
    """What a kind of job needs to know.

    Attributes:
        name: The job definition's name: up to 128 letters, digits, hyphens and underscores.
        container: What runs.
        job_role_arn: The role that the code in the container has.
        execution_role_arn: The role that ECS starts the container with: it pulls the image, reads the secrets and
            writes the log.
        log_group_name: The log group that the container's output goes to.
        log_stream_prefix: What its log streams' names begin with; ECS adds ``/default/`` and the task's ID.
        secrets: Secrets as environment variables: the variable's name, and where its value is, such as a secret's ARN
            with ``:field::`` behind it.
        mounts: The directories that it has besides its own. Default: none.
        references: What stands in the template for a word of the command, by the word: such as for a long script that
            many definitions have. Default: the word itself.
        tags: Tags of the definition, which the ECS tasks of its jobs get as well. Default: those of the stack.
    """

    name: str
    container: Container
    job_role_arn: str
    execution_role_arn: str
    log_group_name: str
    log_stream_prefix: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[ElasticMount | HostMount] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class ContainerJob(Construct):
    """A job definition for instances or for Fargate.

    It has no scheduling priority: a queue without a fair share takes none, and one with a fair share asks for one
    (https://docs.aws.amazon.com/batch/latest/userguide/share-identifiers.html). Who submits to a fair share says
    ``schedulingPriorityOverride``; so the same definition goes to both.

    Attributes:
        definition: The job definition.

    Raises:
        InvalidJobError: If AWS Batch would refuse the definition, or its jobs could not run; with everything that is
            wrong.
    """

    def __init__(self, scope: Construct, construct_id: str, props: ContainerJobProps) -> None:
        super().__init__(scope, construct_id)
        if problems := list(_problems(props)):
            raise InvalidJobError("\n".join(f"job {props.name}: {problem}" for problem in problems))
        container = props.container
        self.definition = _Definition(
            self,
            "Resource",
            type="container",
            job_definition_name=props.name,
            platform_capabilities=[str(container.platform)],
            retry_strategy=retry_strategy(container),
            timeout=_Definition.TimeoutProperty(attempt_duration_seconds=int(container.timeout.total_seconds())),
            propagate_tags=True,
            container_properties=_container_properties(props, cdk.Stack.of(self).region),
        )
        if container.parameters:
            # An override, as aws-cdk-lib 2.275.0 sees no reference to another stack in a text on the property.
            self.definition.add_property_override("Parameters", dict(container.parameters))
        for key, value in props.tags.items():
            self.definition.tags.set_tag(key, value)


def _problems(props: ContainerJobProps) -> Iterator[str]:
    if not _NAME.fullmatch(props.name):
        yield "Batch takes no such name: up to 128 letters, digits, hyphens and underscores"
    yield from props.container.problems()
    for name in sorted(props.secrets.keys() & props.container.environment.keys()):
        yield f"{name!r} is a variable of environment and of secrets; take it out of one"
    hosted = [mount.path for mount in props.mounts if isinstance(mount, HostMount)]
    if hosted and props.container.platform is Platform.FARGATE:
        yield f"{hosted[0]} is a directory of an instance, and Fargate has none; run the job on instances"


def _container_properties(props: ContainerJobProps, region: str) -> batch.CfnJobDefinition.ContainerPropertiesProperty:
    container = props.container
    amounts = {"VCPU": f"{container.vcpus:g}", "MEMORY": str(container.memory_mib), "GPU": str(container.gpus)}
    if not container.gpus:
        del amounts["GPU"]
    return _Definition.ContainerPropertiesProperty(
        image=container.image,
        command=[props.references.get(word, word) for word in container.command],
        resource_requirements=[
            _Definition.ResourceRequirementProperty(type=type_, value=value) for type_, value in amounts.items()
        ],
        job_role_arn=props.job_role_arn,
        execution_role_arn=props.execution_role_arn,
        environment=[
            _Definition.EnvironmentProperty(name=name, value=value) for name, value in container.environment.items()
        ]
        or None,
        secrets=[_Definition.SecretProperty(name=name, value_from=source) for name, source in props.secrets.items()]
        or None,
        user=container.user,
        privileged=None if container.platform is Platform.FARGATE else False,
        readonly_root_filesystem=container.read_only_root,
        linux_parameters=_linux_parameters(container),
        log_configuration=_Definition.LogConfigurationProperty(
            log_driver="awslogs",
            options={
                "awslogs-group": props.log_group_name,
                "awslogs-region": region,
                "awslogs-stream-prefix": props.log_stream_prefix,
            },
        ),
        mount_points=[
            _Definition.MountPointsProperty(source_volume=_volume_name(mount.path), container_path=mount.path)
            for mount in props.mounts
        ]
        or None,
        volumes=[_volume(mount) for mount in props.mounts] or None,
        **(_on_fargate(container) if container.platform is Platform.FARGATE else {}),
    )


def _linux_parameters(container: Container) -> batch.CfnJobDefinition.LinuxParametersProperty:
    # Everybody may write there: Docker mounts it with the mode 1777.
    tmp = _Definition.TmpfsProperty(container_path="/tmp", size=container.tmp_mib or 0)  # noqa: S108 - the container's
    return _Definition.LinuxParametersProperty(
        # It hands on SIGTERM to a program that is not made to be the first process: 30 seconds before the end of a job
        # that is terminated or out of time. A spot reclaim sends none to count on: ECS drains tasks of services only,
        # and Batch's are not (https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html,
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html).
        init_process_enabled=True,
        tmpfs=[tmp] if container.tmp_mib else None,
    )


def _volume_name(path: str) -> str:
    return path.strip("/").replace("/", "-")


def _volume(mount: ElasticMount | HostMount) -> batch.CfnJobDefinition.VolumesProperty:
    if isinstance(mount, HostMount):
        return _Definition.VolumesProperty(
            name=_volume_name(mount.path), host=_Definition.VolumesHostProperty(source_path=mount.path)
        )
    return _Definition.VolumesProperty(
        name=_volume_name(mount.path),
        efs_volume_configuration=_Definition.EfsVolumeConfigurationProperty(
            file_system_id=mount.file_system_id,
            transit_encryption="ENABLED",
            authorization_config=_Definition.AuthorizationConfigProperty(
                access_point_id=mount.access_point_id, iam="ENABLED"
            ),
        ),
    )


def _on_fargate(container: Container) -> dict[str, Any]:
    disk = container.ephemeral_gib
    return {
        "network_configuration": _Definition.NetworkConfigurationProperty(assign_public_ip="DISABLED"),
        "runtime_platform": _Definition.RuntimePlatformProperty(
            cpu_architecture=str(container.architecture), operating_system_family="LINUX"
        ),
        "ephemeral_storage": None if disk is None else _Definition.EphemeralStorageProperty(size_in_gib=disk),
    }
