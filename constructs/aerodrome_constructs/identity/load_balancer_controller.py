"""What the AWS Load Balancer Controller may do."""

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity.statements import allow

# The controller marks everything that it makes with this tag and its cluster's name.
_TAG = "elbv2.k8s.aws/cluster"


def load_balancer_controller_statements(
    *, partition: str, region: str, account: str, cluster_name: str
) -> list[iam.PolicyStatement]:
    """The rights of the AWS Load Balancer Controller 3.x in one cluster.

    The actions are those of the policy that the project publishes (``docs/install/iam_policy.json`` at v3.5.0), without
    Cognito, WAF classic, Shield, IPAM and trust stores, which the platform does not use. Where the published policy
    asks that a resource be marked as *some* cluster's, this one asks for the cluster's own name, so that the
    controllers of two clusters in one account cannot touch each other's load balancers; and where the published policy
    says ``*`` of what has a name, this one says in which account and region, and what kind of thing.

    Args:
        partition: The AWS partition of the ARNs, such as ``aws``.
        region: The cluster's region.
        account: The cluster's account.
        cluster_name: The cluster whose controller it is.
    """
    ours = {"StringEquals": {f"aws:ResourceTag/{_TAG}": cluster_name}}
    marked_ours = {"StringEquals": {f"aws:RequestTag/{_TAG}": cluster_name}}
    balancing = f"arn:{partition}:elasticloadbalancing:{region}:{account}"
    ec2 = f"arn:{partition}:ec2:{region}:{account}"
    security_groups, vpcs = [f"{ec2}:security-group/*"], [f"{ec2}:vpc/*"]
    target_groups = [f"{balancing}:targetgroup/*/*"]
    load_balancers = [f"{balancing}:loadbalancer/{family}/*/*" for family in ("net", "app")]
    listeners = [f"{balancing}:listener/{family}/*/*/*" for family in ("net", "app")]
    rules = [f"{balancing}:listener-rule/{family}/*/*/*" for family in ("net", "app")]
    return [
        # Have no resource level.
        allow(
            [
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
                "elasticloadbalancing:DescribeCapacityReservation",
                "elasticloadbalancing:DescribeListenerAttributes",
                "elasticloadbalancing:DescribeListenerCertificates",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeLoadBalancerAttributes",
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeRules",
                "elasticloadbalancing:DescribeSSLPolicies",
                "elasticloadbalancing:DescribeTags",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
                "elasticloadbalancing:SetWebAcl",
            ]
        ),
        allow(["acm:DescribeCertificate"], [f"arn:{partition}:acm:{region}:{account}:certificate/*"]),
        allow(["ec2:GetSecurityGroupsForVpc"], vpcs),
        allow(
            ["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL", "wafv2:GetWebACL", "wafv2:GetWebACLForResource"],
            [
                f"arn:{partition}:wafv2:{region}:{account}:regional/webacl/*/*",
                f"{balancing}:loadbalancer/app/*/*",
            ],
        ),
        allow(
            ["iam:CreateServiceLinkedRole"],
            [f"arn:{partition}:iam::{account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"],
            {"StringEquals": {"iam:AWSServiceName": "elasticloadbalancing.amazonaws.com"}},
        ),
        # Node security groups, which the controller opens for its load balancers, carry no tag of its own.
        allow(["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"], security_groups),
        allow(["ec2:CreateSecurityGroup"], [*security_groups, *vpcs]),
        # The mark is given on creation only. Who may give it later can make anybody's resource its own.
        allow(
            ["ec2:CreateTags"],
            security_groups,
            {"StringEquals": {**marked_ours["StringEquals"], "ec2:CreateAction": "CreateSecurityGroup"}},
        ),
        allow(["ec2:CreateTags", "ec2:DeleteSecurityGroup", "ec2:DeleteTags"], security_groups, ours),
        allow(["elasticloadbalancing:CreateLoadBalancer"], load_balancers, marked_ours),
        allow(["elasticloadbalancing:CreateTargetGroup"], target_groups, marked_ours),
        allow(
            ["elasticloadbalancing:AddTags"],
            [*target_groups, *load_balancers],
            {
                "StringEquals": {
                    **marked_ours["StringEquals"],
                    "elasticloadbalancing:CreateAction": ["CreateLoadBalancer", "CreateTargetGroup"],
                }
            },
        ),
        allow(
            ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"],
            [*target_groups, *load_balancers],
            ours,
        ),
        allow(["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"], [*listeners, *rules]),
        allow(
            [
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:ModifyCapacityReservation",
                "elasticloadbalancing:ModifyIpPools",
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
                "elasticloadbalancing:SetIpAddressType",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            ],
            load_balancers,
            ours,
        ),
        allow(
            [
                "elasticloadbalancing:DeleteTargetGroup",
                "elasticloadbalancing:ModifyTargetGroup",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
            ],
            target_groups,
            ours,
        ),
        allow(["elasticloadbalancing:ModifyListenerAttributes"], listeners, ours),
        allow(["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"], target_groups),
        # Listeners and rules are not tagged by the controller when it makes them.
        allow(["elasticloadbalancing:CreateListener"], load_balancers),
        allow(
            [
                "elasticloadbalancing:AddListenerCertificates",
                "elasticloadbalancing:CreateRule",
                "elasticloadbalancing:DeleteListener",
                "elasticloadbalancing:ModifyListener",
                "elasticloadbalancing:RemoveListenerCertificates",
            ],
            listeners,
        ),
        allow(
            [
                "elasticloadbalancing:DeleteRule",
                "elasticloadbalancing:ModifyRule",
                "elasticloadbalancing:SetRulePriorities",
            ],
            rules,
        ),
    ]
