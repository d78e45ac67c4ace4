"""What Karpenter's controller may do."""

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity.statements import allow


def karpenter_statements(
    *, partition: str, region: str, account: str, cluster_name: str, node_role_arn: str, queue_arn: str
) -> list[iam.PolicyStatement]:
    """The rights of Karpenter 1.x in one cluster and region.

    The actions are those of the policies in Karpenter's getting-started CloudFormation template (the same for 1.13 and
    1.14), without those on instance profiles: ours is made with the cluster, and Karpenter only looks at it.
    Instances, volumes and launch templates can be made only with the cluster's tag, and changed only where they carry
    it.

    Args:
        partition: The AWS partition of the ARNs, such as ``aws``.
        region: The cluster's region.
        account: The cluster's account.
        cluster_name: The cluster whose nodes Karpenter makes.
        node_role_arn: The role that it may give to those nodes.
        queue_arn: The queue from which it learns of interruptions.
    """
    owned = f"kubernetes.io/cluster/{cluster_name}"
    mark = {"StringEquals": {f"aws:RequestTag/{owned}": "owned", "aws:RequestTag/eks:eks-cluster-name": cluster_name}}
    ours = {"StringEquals": {f"aws:ResourceTag/{owned}": "owned"}}
    in_region = {"StringEquals": {"aws:RequestedRegion": region}}
    ec2 = f"arn:{partition}:ec2:{region}:*"
    made = [
        f"{ec2}:{kind}/*"
        for kind in ("fleet", "instance", "launch-template", "network-interface", "spot-instances-request", "volume")
    ]
    cluster = f"arn:{partition}:eks:{region}:{account}:cluster/{cluster_name}"
    return [
        allow(
            ["ec2:CreateFleet", "ec2:RunInstances"],
            [
                f"arn:{partition}:ec2:{region}::image/*",
                f"arn:{partition}:ec2:{region}::snapshot/*",
                *(
                    f"{ec2}:{kind}/*"
                    for kind in ("capacity-reservation", "placement-group", "security-group", "subnet")
                ),
            ],
        ),
        allow(["ec2:CreateFleet", "ec2:RunInstances"], [f"{ec2}:launch-template/*"], ours),
        allow(["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances"], made, mark),
        allow(
            ["ec2:CreateTags"],
            made,
            {
                "StringEquals": {
                    **mark["StringEquals"],
                    "ec2:CreateAction": ["CreateFleet", "CreateLaunchTemplate", "RunInstances"],
                }
            },
        ),
        allow(
            ["ec2:CreateTags"],
            [f"{ec2}:instance/*"],
            {
                **ours,
                "ForAllValues:StringEquals": {
                    "aws:TagKeys": ["Name", "eks:eks-cluster-name", "karpenter.sh/nodeclaim"]
                },
            },
        ),
        allow(["ec2:DeleteLaunchTemplate", "ec2:TerminateInstances"], made, ours),
        allow(
            [
                "ec2:DescribeCapacityReservations",
                "ec2:DescribeImages",
                "ec2:DescribeInstances",
                "ec2:DescribeInstanceStatus",
                "ec2:DescribeInstanceTypeOfferings",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplates",
                "ec2:DescribePlacementGroups",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSpotPriceHistory",
                "ec2:DescribeSubnets",
            ],
            conditions=in_region,
        ),
        allow(["ssm:GetParameter"], [f"arn:{partition}:ssm:{region}::parameter/aws/service/*"]),
        allow(["pricing:GetProducts"]),
        allow(["iam:PassRole"], [node_role_arn], {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}),
        # It looks every half hour for profiles that it made and left behind.
        allow(
            ["iam:GetInstanceProfile", "iam:ListInstanceProfiles"],
            [f"arn:{partition}:iam::{account}:instance-profile/*"],
        ),
        allow(["eks:DescribeCluster"], [cluster]),
        allow(["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], [queue_arn]),
        # Takes no resource but names the cluster: whether a zone's traffic is shifted away, which is then no place for
        # a new node.
        allow(
            ["arc-zonal-shift:GetManagedResource"],
            conditions={"StringEquals": {"arc-zonal-shift:ResourceIdentifier": cluster}},
        ),
    ]
