"""Amazon EFS: one file system, in which everybody sees a directory of their own and nothing beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

NFS_PORT: Final = 2049

CLIENT_ACTIONS: Final = ("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite")
"""What a client does that reads and writes. To act as root is another right, which nobody needs here."""

_ALL_CLIENT_ACTIONS = (*CLIENT_ACTIONS, "elasticfilesystem:ClientRootAccess")
# Whoever comes through an access point acts as this user and group, whatever the container's own is. It is the same for
# all: what keeps them apart is the directory, which nobody can climb out of, and IAM, which says whose it is. A number
# for each would have to be kept for ever, as it stands in every file.
_USER = _GROUP = "1000"
# Its owner may do everything, its group look, and others nothing.
_PERMISSIONS = "0750"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticFileSystemProps:
    """What a file system needs to know.

    Attributes:
        vpc: The VPC.
        subnets: Where it is reached: a mount target in each, one a zone, so that no zone needs another.
        clients: The security group that whatever mounts it carries. It gets the rule to go there, and nothing else is
            let in.
        key: The key that encrypts it.
        directories: Who has a directory, by construct ID: its path from the root, such as ``/team/staging``, which is
            made when it is first mounted. A path that changes is another directory; the old one stays where it was.
        tags: The tags of each access point, by the same ID.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    clients: ec2.ISecurityGroup
    key: kms.IKey
    directories: Mapping[str, str]
    tags: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPoint:
    """The way to a directory.

    Attributes:
        id: The access point's ID, for a volume.
        arn: Its ARN, for the policy of who may take it.
    """

    id: str
    arn: str


class ElasticFileSystem(Construct):
    """An encrypted file system in several zones that stays when its stack goes.

    It is mounted over TLS, through an access point, by an IAM role that may: its policy refuses everything else, even
    to an administrator. An access point's root is the directory of one project, and a client sees nothing above it.

    Throughput is elastic: jobs come in bursts, and what bursting throughput would give is by the size of the file
    system, which is small at first. Files that nobody read for 30 days go to infrequent access, at a tenth of the
    price, and come back when they are read (https://aws.amazon.com/efs/pricing/).

    Attributes:
        file_system: The file system.
        access_points: The access point of each directory, by the ID in ``directories``.
    """

    def __init__(self, scope: Construct, construct_id: str, props: ElasticFileSystemProps) -> None:
        super().__init__(scope, construct_id)
        security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=props.vpc, description="EFS file system", allow_all_outbound=False
        )
        security_group.add_ingress_rule(props.clients, ec2.Port.tcp(NFS_PORT), "Clients of the file system")
        props.clients.add_egress_rule(security_group, ec2.Port.tcp(NFS_PORT), "The EFS file system")
        self.file_system = efs.FileSystem(
            self,
            "Resource",
            vpc=props.vpc,
            vpc_subnets=props.subnets,
            security_group=security_group,
            encrypted=True,
            kms_key=props.key,
            throughput_mode=efs.ThroughputMode.ELASTIC,
            lifecycle_policy=efs.LifecyclePolicy.AFTER_30_DAYS,
            out_of_infrequent_access_policy=efs.OutOfInfrequentAccessPolicy.AFTER_1_ACCESS,
            file_system_policy=iam.PolicyDocument(statements=_refusals()),
            # Left out, the CDK adds a statement that lets any identity in; what comes in here is in roles' policies.
            allow_anonymous_access=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        self.access_points = {
            name: self._access_point(name, path, props.tags.get(name, {})) for name, path in props.directories.items()
        }

    def _access_point(self, construct_id: str, path: str, tags: Mapping[str, str]) -> AccessPoint:
        made = efs.CfnAccessPoint(
            self,
            construct_id,
            file_system_id=self.file_system.file_system_id,
            posix_user=efs.CfnAccessPoint.PosixUserProperty(uid=_USER, gid=_GROUP),
            root_directory=efs.CfnAccessPoint.RootDirectoryProperty(
                path=path,
                creation_info=efs.CfnAccessPoint.CreationInfoProperty(
                    owner_uid=_USER, owner_gid=_GROUP, permissions=_PERMISSIONS
                ),
            ),
        )
        for key, value in tags.items():
            cdk.Tags.of(made).add(key, value)
        return AccessPoint(id=made.attr_access_point_id, arn=made.attr_arn)


def _refusals() -> list[iam.PolicyStatement]:
    """What a file system refuses, whoever asks. It allows nothing: with a policy, EFS lets nobody in by itself.

    https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
    """
    return [
        _refuse("WithoutTls", ["*"], {"Bool": {"aws:SecureTransport": "false"}}),
        _refuse(
            "WithoutAccessPoint", list(_ALL_CLIENT_ACTIONS), {"Null": {"elasticfilesystem:AccessPointArn": "true"}}
        ),
        _refuse(
            "WithoutMountTarget",
            list(_ALL_CLIENT_ACTIONS),
            {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "false"}},
        ),
    ]


def _refuse(sid: str, actions: list[str], conditions: Mapping[str, Mapping[str, str]]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=actions,
        conditions=dict(conditions),
    )
