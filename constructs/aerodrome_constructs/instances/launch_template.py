"""How every instance of the platform starts, be it a node of the cluster or a host of AWS Batch."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct


def hardened_launch_template(
    scope: Construct, construct_id: str, *, disk_gib: int, user_data: str | None = None
) -> ec2.LaunchTemplate:
    """Make a launch template with IMDSv2 and an encrypted disk.

    The metadata service answers no further than one hop, the instance itself: a container with a network of its own,
    such as a pod, cannot take the instance's role. One in the instance's network is no hop away. Such are the jobs of
    AWS Batch, which their hosts keep from it by other means (``aerodrome_constructs.batch.host``).

    Args:
        scope: What the launch template belongs to.
        construct_id: Its ID there.
        disk_gib: The size of the encrypted gp3 disk, in GiB. It holds the images and what containers write.
        user_data: What an instance is started with. None: what who starts it adds, and nothing else.
    """
    return ec2.LaunchTemplate(
        scope,
        construct_id,
        require_imdsv2=True,
        http_put_response_hop_limit=1,
        user_data=ec2.UserData.custom(user_data) if user_data else None,
        block_devices=[
            ec2.BlockDevice(
                device_name="/dev/xvda",
                volume=ec2.BlockDeviceVolume.ebs(disk_gib, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3),
            )
        ],
    )
