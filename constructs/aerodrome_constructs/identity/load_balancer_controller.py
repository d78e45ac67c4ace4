"""What the AWS Load Balancer Controller may do."""

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity.statements import allow

# The controller marks everything that it makes with this tag and its cluster's name.
_TAG = "elbv2.k8s.aws/cluster"


def load_balancer_controller_statements(partition: str, cluster_name: str) -> list[iam.PolicyStatement]:
    """The rights of the AWS Load Balancer Controller 3.x in one cluster.

    The actions are those of the policy that the project publishes (``docs/install/iam_policy.json`` at v3.5.0), without
    Cognito, WAF classic and Shield, which the platform does not use. Where the published policy asks that a
    resource be marked as *some* cluster's, this one asks for the cluster's own name, so that the controllers of two
    clusters in one account cannot touch each other's load balancers.

    Args:
        partition: The AWS partition of the ARNs, such as ``aws``.
        cluster_name: The cluster whose controller it is.
    """
    ours = {"StringEquals": {f"aws:ResourceTag/{_TAG}": cluster_name}}
    marked_ours = {"StringEquals": {f"aws:RequestTag/{_TAG}": cluster_name}}
    balancing = f"arn:{partition}:elasticloadbalancing:*:*"
    security_groups = f"arn:{partition}:ec2:*:*:security-group/*"
    balancers = [
        f"{balancing}:targetgroup/*/*",
        f"{balancing}:loadbalancer/net/*/*",
        f"{balancing}:loadbalancer/app/*/*",
    ]
    listeners = [
        f"{balancing}:{kind}/{family}/*/*/*" for kind in ("listener", "listener-rule") for family in ("net", "app")
    ]
    return [
        allow(
            [
                "acm:DescribeCertificate",
                "acm:ListCertificates",
                "ec2:DescribeAccountAttributes",
                "ec2:DescribeAddresses",
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeInstances",
                "ec2:DescribeInternetGateways",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeRouteTables",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeTags",
                "ec2:DescribeVpcPeeringConnections",
                "ec2:DescribeVpcs",
                "ec2:GetSecurityGroupsForVpc",
                "elasticloadbalancing:Describe*",
                "wafv2:AssociateWebACL",
                "wafv2:DisassociateWebACL",
                "wafv2:GetWebACL",
                "wafv2:GetWebACLForResource",
            ]
        ),
        allow(
            ["iam:CreateServiceLinkedRole"],
            conditions={"StringEquals": {"iam:AWSServiceName": "elasticloadbalancing.amazonaws.com"}},
        ),
        # Node security groups, which the controller opens for its load balancers, carry no tag of its own.
        allow(["ec2:AuthorizeSecurityGroupIngress", "ec2:CreateSecurityGroup", "ec2:RevokeSecurityGroupIngress"]),
        # The mark is given on creation only. Who may give it later can make anybody's resource its own.
        allow(
            ["ec2:CreateTags"],
            [security_groups],
            {"StringEquals": {**marked_ours["StringEquals"], "ec2:CreateAction": "CreateSecurityGroup"}},
        ),
        allow(["ec2:CreateTags", "ec2:DeleteTags"], [security_groups], ours),
        allow(["ec2:DeleteSecurityGroup"], [security_groups], ours),
        allow(
            ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"],
            conditions=marked_ours,
        ),
        allow(
            ["elasticloadbalancing:AddTags"],
            balancers,
            {
                "StringEquals": {
                    **marked_ours["StringEquals"],
                    "elasticloadbalancing:CreateAction": ["CreateLoadBalancer", "CreateTargetGroup"],
                }
            },
        ),
        allow(["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"], balancers, ours),
        allow(["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"], listeners),
        allow(
            [
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:DeleteTargetGroup",
                "elasticloadbalancing:ModifyCapacityReservation",
                "elasticloadbalancing:ModifyIpPools",
                "elasticloadbalancing:ModifyListenerAttributes",
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
                "elasticloadbalancing:ModifyTargetGroup",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
                "elasticloadbalancing:SetIpAddressType",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            ],
            conditions=ours,
        ),
        allow(
            ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"],
            [f"{balancing}:targetgroup/*/*"],
        ),
        # Listeners and rules are not tagged by the controller when it makes them.
        allow(
            [
                "elasticloadbalancing:AddListenerCertificates",
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:CreateRule",
                "elasticloadbalancing:DeleteListener",
                "elasticloadbalancing:DeleteRule",
                "elasticloadbalancing:ModifyListener",
                "elasticloadbalancing:ModifyRule",
                "elasticloadbalancing:RemoveListenerCertificates",
                "elasticloadbalancing:SetRulePriorities",
                "elasticloadbalancing:SetWebAcl",
            ]
        ),
    ]
