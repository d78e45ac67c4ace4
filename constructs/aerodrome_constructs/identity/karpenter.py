"""What Karpenter's controller may do."""

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity.statements import allow


def karpenter_statements(
    *, partition: str, region: str, account: str, cluster_name: str, node_role_arn: str
) -> list[iam.PolicyStatement]:
    """The rights of Karpenter 1.x in one cluster and region.

    The actions are those of the policy in Karpenter's getting-started CloudFormation template at v1.14.1, without the
    interruption queue. Instances, volumes and launch templates can be made only with the cluster's tag, and changed
    only where they carry it.

    Args:
        partition: The AWS partition of the ARNs, such as ``aws``.
        region: The cluster's region.
        account: The cluster's account.
        cluster_name: The cluster whose nodes Karpenter makes.
        node_role_arn: The role that it may give to those nodes.
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
    profiles = [f"arn:{partition}:iam::{account}:instance-profile/*"]
    return [
        allow(
            ["ec2:CreateFleet", "ec2:RunInstances"],
            [
                f"arn:{partition}:ec2:{region}::image/*",
                f"arn:{partition}:ec2:{region}::snapshot/*",
                *(f"{ec2}:{kind}/*" for kind in ("capacity-reservation", "security-group", "subnet")),
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
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSpotPriceHistory",
                "ec2:DescribeSubnets",
            ],
            conditions=in_region,
        ),
        allow(["ssm:GetParameter"], [f"arn:{partition}:ssm:{region}::parameter/aws/service/*"]),
        allow(["pricing:GetProducts"]),
        allow(["iam:PassRole"], [node_role_arn], {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}),
        allow(["iam:CreateInstanceProfile"], profiles, mark),
        # Not with the request's tag alone: that would let it mark, and then change, anybody's profile.
        allow(["iam:TagInstanceProfile"], profiles, {"StringEquals": {**mark["StringEquals"], **ours["StringEquals"]}}),
        allow(
            ["iam:AddRoleToInstanceProfile", "iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile"],
            profiles,
            ours,
        ),
        allow(["iam:GetInstanceProfile", "iam:ListInstanceProfiles"], profiles),
        allow(["eks:DescribeCluster"], [f"arn:{partition}:eks:{region}:{account}:cluster/{cluster_name}"]),
    ]
