"""The File systems stack: what jobs share as files, where an environment has that."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.backup import FileBackups, FileBackupsProps
from aerodrome_constructs.file_systems import (
    CLIENT_ACTIONS,
    ElasticFileSystem,
    ElasticFileSystemProps,
    LustreFileSystem,
    LustreFileSystemProps,
    lustre_mount_commands,
)
from aerodrome_constructs.identity import allow
from aerodrome_stacks.backup_stack import BackupPorts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.keys_stack import KeysPorts
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.project_roles import project_tags


@dataclass(frozen=True, slots=True, kw_only=True)
class EfsPorts:
    """The EFS file system, of which each project and domain has a directory of its own.

    Attributes:
        file_system_id: The file system's ID.
        file_system_arn: Its ARN.
        access_points: The ID and the ARN of the access point of each project and domain.
    """

    file_system_id: str
    file_system_arn: str
    access_points: Mapping[tuple[str, str], tuple[str, str]]

    def client_statements(self, project: str, domain: str) -> list[iam.PolicyStatement]:
        """The right to read and write a project's own directory in one domain.

        Args:
            project: The project.
            domain: The domain.
        """
        _, access_point_arn = self.access_points[project, domain]
        own = {"StringEquals": {"elasticfilesystem:AccessPointArn": access_point_arn}}
        return [allow(CLIENT_ACTIONS, [self.file_system_arn], own)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LustrePorts:
    """The FSx for Lustre file system, which all projects share.

    Attributes:
        dns_name: The name that instances mount it by.
        mount_name: The path that they mount.
    """

    dns_name: str
    mount_name: str

    @property
    def mount_commands(self) -> list[str]:
        """Lines of bash with which an instance mounts it when it starts."""
        return lustre_mount_commands(self.dns_name, self.mount_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystemsPorts:
    """What other stacks may use of the file systems.

    Attributes:
        clients: The security group that whatever mounts a file system carries, beside its own.
        efs: The EFS file system. None: the environment has none.
        lustre: The FSx for Lustre file system. None: the environment has none.
    """

    clients: ec2.ISecurityGroup
    efs: EfsPorts | None
    lustre: LustrePorts | None


def has_file_systems(environment: Environment) -> bool:
    """Whether an environment has a file system at all."""
    return environment.batch.efs or environment.batch.lustre_gib is not None


class FileSystemsStack(AerodromeStack):
    """EFS with a directory for each project and domain, and FSx for Lustre for what all of them read."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        network: NetworkPorts,
        keys: KeysPorts,
        backup: BackupPorts,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="EFS and FSx for Lustre: files that jobs share",
            holds_data=True,
        )
        self._network, self._key = network, keys.data
        self._clients = ec2.SecurityGroup(
            self,
            "Clients",
            vpc=network.vpc,
            description="Carried by what may reach the file systems",
            allow_all_outbound=False,
        )
        self.ports = FileSystemsPorts(
            clients=self._clients,
            efs=self._efs(environment) if environment.batch.efs else None,
            lustre=self._lustre(environment.batch.lustre_gib) if environment.batch.lustre_gib else None,
        )
        if self.ports.efs:
            FileBackups(
                self,
                "Backups",
                FileBackupsProps(
                    name=f"{self.prefix}-files",
                    plan_id=backup.plan_id,
                    file_system_arn=self.ports.efs.file_system_arn,
                    data_key=keys.data,
                    vault_arn=backup.vault_arn,
                    vault_key=keys.backup,
                    restore_role_name=f"{self.prefix}-restore-files",
                    destination=backup.copied_to,
                ),
            )

    def _efs(self, environment: Environment) -> EfsPorts:
        # A project and a domain make one namespace of Flyte, and no two of them the same.
        spaces = {f"{project}-{domain}": (project, domain) for project, domain in environment.project_domains}
        made = ElasticFileSystem(
            self,
            "Efs",
            ElasticFileSystemProps(
                vpc=self._network.vpc,
                subnets=self._network.node_subnets,
                clients=self._clients,
                key=self._key,
                directories={name: f"/{project}/{domain}" for name, (project, domain) in spaces.items()},
                tags={name: project_tags(project, domain) for name, (project, domain) in spaces.items()},
            ),
        )
        # Of the ID, not another output of this stack, which CloudFormation allows 200.
        access_point = f"arn:{self.partition}:elasticfilesystem:{environment.region}:{environment.account}:access-point"
        return EfsPorts(
            file_system_id=made.file_system.file_system_id,
            file_system_arn=made.file_system.file_system_arn,
            access_points={
                spaces[name]: (one.id, f"{access_point}/{one.id}") for name, one in made.access_points.items()
            },
        )

    def _lustre(self, size_gib: int) -> LustrePorts:
        made = LustreFileSystem(
            self,
            "Lustre",
            LustreFileSystemProps(
                vpc=self._network.vpc,
                subnet=self._network.vpc.select_subnets(
                    subnet_group_name=self._network.node_subnets.subnet_group_name
                ).subnets[0],
                clients=self._clients,
                key=self._key,
                size_gib=size_gib,
            ),
        )
        return LustrePorts(dns_name=made.dns_name, mount_name=made.mount_name)
