"""Amazon FSx for Lustre: a fast file system for data that many jobs read at once."""

from dataclasses import dataclass
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_fsx as fsx
from aws_cdk import aws_kms as kms
from constructs import Construct

LUSTRE_PORTS: Final = ((988, 988), (1018, 1023))
"""The ports between clients and servers, the first and last of each range
(https://docs.aws.amazon.com/fsx/latest/LustreGuide/limit-access-security-groups.html)."""

LUSTRE_PATH: Final = "/mnt/lustre"
"""Where hosts have it, and containers."""

# A file server that fails is back in minutes; a zone that fails is not.
_ATTEMPTS = 20
_WAIT_SECONDS = 30

# In MB/s for each TiB: the least that PERSISTENT_2 has. More is bought by size, too.
_THROUGHPUT = 125
# The newest that FSx makes. The client of Amazon Linux 2023 is of the same line.
_VERSION = "2.15"


@dataclass(frozen=True, slots=True, kw_only=True)
class LustreFileSystemProps:
    """What a file system needs to know.

    Attributes:
        vpc: The VPC.
        subnet: Where its servers are. It is in this one zone.
        clients: The security group that whatever mounts it carries. It gets the rules to go there and to be answered.
        key: The key that encrypts it.
        size_gib: Its size, in GiB: 1200, or a multiple of 2400. It can grow later, and not shrink.
    """

    vpc: ec2.IVpc
    subnet: ec2.ISubnet
    clients: ec2.ISecurityGroup
    key: kms.IKey
    size_gib: int


class LustreFileSystem(Construct):
    """A file system on SSD in one zone that stays when its stack goes.

    The deployment type is ``PERSISTENT_2``. A training reads its data set many times over days: on ``SCRATCH_2`` a file
    server that fails takes its files with it, and the training, as nothing is replicated there, and it takes no key of
    ours. What ``SCRATCH_2`` has over it is throughput, 200 MB/s for each TiB and bursts, and a price that is lower by a
    few percent (https://docs.aws.amazon.com/fsx/latest/LustreGuide/using-fsx-lustre.html).

    It stands in one zone. Instances in the others reach it, for the price of traffic between zones; when the zone is
    lost, nobody does until it is back. It is not backed up: it holds what was copied from elsewhere and can be again,
    and what jobs leave belongs into S3. It is linked to no bucket, either: who may mount it may read all of it, and a
    link would show every project's objects to every other.

    Attributes:
        file_system: The file system.
    """

    def __init__(self, scope: Construct, construct_id: str, props: LustreFileSystemProps) -> None:
        super().__init__(scope, construct_id)
        security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=props.vpc, description="FSx for Lustre file system", allow_all_outbound=False
        )
        # The retained file system is in it: AWS would refuse to delete it anyway.
        security_group.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        for first, last in LUSTRE_PORTS:
            port = ec2.Port.tcp_range(first, last)
            # Its servers talk to each other, and both sides open connections (LNet).
            security_group.add_ingress_rule(security_group, port, "Its own servers")
            security_group.add_egress_rule(security_group, port, "Its own servers")
            security_group.add_ingress_rule(props.clients, port, "Clients of the file system")
            security_group.add_egress_rule(props.clients, port, "Clients of the file system")
            props.clients.add_egress_rule(security_group, port, "The Lustre file system")
            props.clients.add_ingress_rule(security_group, port, "The Lustre file system")
        self.file_system = fsx.CfnFileSystem(
            self,
            "Resource",
            file_system_type="LUSTRE",
            file_system_type_version=_VERSION,
            kms_key_id=props.key.key_arn,
            security_group_ids=[security_group.security_group_id],
            storage_capacity=props.size_gib,
            storage_type="SSD",
            subnet_ids=[props.subnet.subnet_id],
            lustre_configuration=fsx.CfnFileSystem.LustreConfigurationProperty(
                deployment_type="PERSISTENT_2",
                per_unit_storage_throughput=_THROUGHPUT,
                data_compression_type="LZ4",
                automatic_backup_retention_days=0,
            ),
        )
        self.file_system.apply_removal_policy(cdk.RemovalPolicy.RETAIN)

    @property
    def dns_name(self) -> str:
        """The name that clients mount it by."""
        return cdk.Fn.join(".", [self.file_system.ref, "fsx", cdk.Stack.of(self).region, cdk.Stack.of(self).url_suffix])

    @property
    def mount_name(self) -> str:
        """The path that clients mount."""
        return self.file_system.attr_lustre_mount_name


def lustre_mount_commands(dns_name: str, mount_name: str) -> list[str]:
    """Lines of bash with which a host of AWS Batch mounts a file system when it starts, or does not join.

    cloud-init runs them before it is through, and the ECS agent waits for that: while they try, no job comes. A host
    that has not mounted it after ten minutes would still get jobs, and they would read an empty directory and write to
    the host's own disk. So its agent is kept from starting, and the host ends itself; Batch starts another in its place
    while jobs wait.

    Args:
        dns_name: The name that the file system is mounted by.
        mount_name: The path that is mounted.
    """
    mounted = f"mountpoint -q {LUSTRE_PATH}"
    return [
        f"mkdir -p {LUSTRE_PATH}",
        f"for attempt in {{1..{_ATTEMPTS}}}; do",
        # Amazon Linux 2023 has the client among its own packages.
        "  rpm -q lustre-client || dnf install -y lustre-client",
        f"  {mounted} || mount -t lustre -o relatime,flock {dns_name}@tcp:/{mount_name} {LUSTRE_PATH}",
        f"  {mounted} && break",
        f"  sleep {_WAIT_SECONDS}",
        "done",
        f"{mounted} || {{ systemctl mask --now ecs.service; shutdown -h now; }}",
    ]
