"""No identity may do something to everything, unless the action knows nothing smaller, or the list says why."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aerodrome_constructs.policy.iam_statements import actions, allowing
from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Stacks, as_list, as_text


@dataclass(frozen=True, slots=True, kw_only=True)
class OnEverything:
    """Actions that may be allowed on ``Resource: *``.

    Attributes:
        reason: What they are needed for.
        although: Why they are allowed on everything although AWS knows resources for them. Empty: it knows none.
        actions: The actions, as policies write them.
    """

    reason: str
    although: str = ""
    actions: tuple[str, ...]


ON_EVERYTHING: Final = (
    OnEverything(
        reason="the load balancer controller finds the network that it works in",
        actions=(
            "acm:ListCertificates",
            "ec2:DescribeAccountAttributes",
            "ec2:DescribeAddresses",
            "ec2:DescribeAvailabilityZones",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeRouteTables",
            "ec2:DescribeTags",
            "ec2:DescribeVpcPeeringConnections",
            "ec2:DescribeVpcs",
        ),
    ),
    OnEverything(
        reason="the load balancer controller compares load balancers with the Ingresses that ask for them",
        actions=(
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
        ),
    ),
    OnEverything(
        reason="the load balancer controller puts a web ACL before a load balancer; wafv2:AssociateWebACL says which",
        actions=("elasticloadbalancing:SetWebAcl",),
    ),
    OnEverything(
        reason="what keeps DNS records looks for the hosted zone that they are in", actions=("route53:ListHostedZones",)
    ),
    OnEverything(
        reason="Karpenter chooses among what EC2 offers, and looks for its own instances",
        actions=(
            "ec2:DescribeCapacityReservations",
            "ec2:DescribeImages",
            "ec2:DescribeInstanceStatus",
            "ec2:DescribeInstanceTypeOfferings",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeInstances",
            "ec2:DescribeLaunchTemplates",
            "ec2:DescribePlacementGroups",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSpotPriceHistory",
            "ec2:DescribeSubnets",
            "pricing:GetProducts",
        ),
    ),
    OnEverything(
        reason="Karpenter avoids a zone from which traffic is shifted away",
        although="the ARNs that it knows are those of load balancers; a condition names the cluster",
        actions=("arc-zonal-shift:GetManagedResource",),
    ),
    OnEverything(
        reason="Lambda makes a function's network interfaces with the function's role",
        although="Lambda asks for exactly this, before there is an interface that could be named: "
        "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions",
        actions=(
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:UnassignPrivateIpAddresses",
        ),
    ),
    OnEverything(
        reason="Lambda and the load balancer controller look for network interfaces",
        actions=("ec2:DescribeNetworkInterfaces",),
    ),
    OnEverything(reason="Grafana offers the regions to choose from", actions=("ec2:DescribeRegions",)),
    OnEverything(reason="Grafana and AWS Backup find resources by their tags", actions=("tag:GetResources",)),
    OnEverything(
        reason="Grafana draws metrics and shows alarms; an exporter gives metrics to Prometheus; AWS Backup tells how "
        "far a backup of S3 is",
        although="metrics have no ARN: the resource that AWS knows is a data set of theirs, which we do not have; and "
        "alarms are those that somebody looks at in the account",
        actions=("cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics"),
    ),
    OnEverything(
        reason="an exporter gives metrics of CloudWatch to Prometheus", actions=("cloudwatch:GetMetricStatistics",)
    ),
    OnEverything(
        reason="hosts of AWS Batch tell of memory, disk and GPUs, what measures jobs tells of jobs; a condition names "
        "the namespace",
        although="metrics have no ARN: the resource that AWS knows is a data set of theirs, which we do not have",
        actions=("cloudwatch:PutMetricData",),
    ),
    OnEverything(
        reason="flytepropeller, and people who submit jobs, ask how they fare", actions=("batch:DescribeJobs",)
    ),
    OnEverything(
        reason="people who submit jobs look for jobs, and for what there is to submit them to; what cleans up behind "
        "flytepropeller looks for what it made, and for jobs that need it",
        actions=("batch:DescribeJobDefinitions", "batch:DescribeJobQueues", "batch:ListJobs"),
    ),
    OnEverything(
        reason="what measures jobs looks at the compute environments behind the queues",
        actions=("batch:DescribeComputeEnvironments",),
    ),
    OnEverything(
        reason="Step Functions sees to it that CloudWatch Logs takes what its executions write",
        actions=(
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        ),
    ),
    OnEverything(
        reason="Step Functions traces its executions",
        actions=(
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ),
    ),
    OnEverything(reason="an image is pulled with a token of the registry", actions=("ecr:GetAuthorizationToken",)),
    OnEverything(
        reason="AWS Backup looks for what it can back up, and for its own rules",
        actions=("events:ListRules", "s3:ListAllMyBuckets"),
    ),
    OnEverything(
        reason="AWS Backup looks for databases and their snapshots",
        although="a snapshot that it is about to make has no name yet, and it reads no data so",
        actions=("rds:DescribeDBInstances", "rds:DescribeDBSnapshots"),
    ),
    OnEverything(
        reason="the connector of AWS Batch sees whether an image that ECR does not have yet is one that it will fetch",
        actions=("ecr:DescribePullThroughCacheRules",),
    ),
    OnEverything(
        reason="who breaks the glass looks for what is wrong, wherever in the account",
        although="nobody knows beforehand what breaks; none of them reads objects, secrets or keys, each use alarms",
        actions=(
            "backup:Describe*",
            "backup:List*",
            "batch:Describe*",
            "batch:List*",
            "cloudformation:Describe*",
            "cloudformation:GetTemplate*",
            "cloudformation:List*",
            "cloudtrail:Describe*",
            "cloudtrail:GetTrailStatus",
            "cloudwatch:Describe*",
            "cloudwatch:Get*",
            "cloudwatch:List*",
            "ec2:Describe*",
            "ec2:GetConsoleOutput",
            "ecr:Describe*",
            "ecr:ListImages",
            "ecs:Describe*",
            "ecs:List*",
            "eks:Describe*",
            "eks:List*",
            "events:Describe*",
            "events:List*",
            "iam:GetPolicy*",
            "iam:GetRole*",
            "iam:List*",
            "kms:Describe*",
            "kms:GetKeyPolicy",
            "kms:List*",
            "lambda:GetFunctionConfiguration",
            "lambda:List*",
            "logs:DescribeLogStreams",
            "logs:DescribeMetricFilters",
            "logs:DescribeSubscriptionFilters",
            "rds:Describe*",
            "s3:GetBucket*",
            "s3:GetLifecycleConfiguration",
            "secretsmanager:DescribeSecret",
            "servicequotas:Get*",
            "servicequotas:List*",
            "sns:Get*",
            "sns:List*",
            "sqs:GetQueueAttributes",
        ),
    ),
    OnEverything(
        reason="who breaks the glass looks through logs, trails and lists of what there is",
        actions=(
            "autoscaling:Describe*",
            "cloudtrail:LookupEvents",
            "elasticloadbalancing:Describe*",
            "logs:DescribeLogGroups",
            "logs:StopQuery",
            "secretsmanager:ListSecrets",
            "sqs:ListQueues",
        ),
    ),
    OnEverything(
        reason="who breaks the glass stops and restarts what is wrong",
        although="a condition wants the environment's tag on what it is done to",
        actions=(
            "batch:UpdateJobQueue",
            "ec2:RebootInstances",
            "ec2:TerminateInstances",
            "eks:UpdateNodegroupConfig",
            "secretsmanager:RotateSecret",
        ),
    ),
)
"""What may be allowed on everything. A test holds each against what AWS says of it, and finds what is unused."""

_ALLOWED: Final = frozenset(action for entry in ON_EVERYTHING for action in entry.actions)


def _check(stacks: Stacks) -> Iterator[Finding]:
    for resource, name, statement in allowing(stacks):
        resources = [as_text(one) for one in as_list(statement.get("Resource"))]
        if not any(set(one) <= {"*"} for one in resources):
            continue
        for action in actions(statement):
            if action not in _ALLOWED:
                yield found(resource, f"{action} on everything", name)


RULE = Rule(
    name="iam-no-wildcard-resources",
    asks="What an identity may do, it may do to something that is named, unless AWS knows nothing smaller.",
    mend="name the ARNs, as far as they are known; an action without a resource level belongs into ON_EVERYTHING, with "
    "its reason",
    check=_check,
)
