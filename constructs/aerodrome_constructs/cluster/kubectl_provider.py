"""What the security packs find in the functions that the CDK makes to run helm and kubectl, and cannot be changed."""

from aws_cdk import aws_eks_v2 as eks

from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import (
    INLINE_POLICY,
    LAMBDA_CONCURRENCY,
    LAMBDA_DEAD_LETTERS,
    LAMBDA_RUNTIME,
    MANAGED_POLICIES,
    WILDCARDS,
)


def acknowledge_kubectl_provider(cluster: eks.Cluster) -> None:
    """Acknowledge what the packs find in the cluster's role and in its handlers for helm and kubectl."""
    acknowledge(
        cluster.role,
        MANAGED_POLICIES,
        reason="what EKS does for a cluster with load balancers and network interfaces changes with EKS, and so does "
        "this policy, which it asks for",
        findings=["Policy::*/AmazonEKSClusterPolicy"],
    )
    provider = cluster.node.find_child("KubectlProvider")
    acknowledge(
        provider,
        MANAGED_POLICIES,
        reason="the CDK makes the roles of its handlers with what AWS lets a function in a VPC do, and with what reads "
        "charts from ECR",
        findings=[
            "Policy::*/AWSLambdaBasicExecutionRole",
            "Policy::*/AWSLambdaVPCAccessExecutionRole",
            "Policy::*/AmazonEC2ContainerRegistryReadOnly",
            "Policy::*/AmazonElasticContainerRegistryPublicReadOnly*",
        ],
    )
    acknowledge(
        provider,
        WILDCARDS,
        reason="the CDK lets its handler read the bootstrap bucket, which holds charts of this repository and no data, "
        "and its framework invoke any version of that handler",
        findings=[
            "Action::s3:GetBucket[*]",
            "Action::s3:GetObject[*]",
            "Action::s3:List[*]",
            "Resource::arn:*:s3:::cdk-hnb659fds-assets-*/[*]",
            "Resource::<*Handler*.Arn>:[*]",
        ],
    )
    acknowledge(
        provider,
        INLINE_POLICY,
        reason="the CDK writes what a handler may do into the handler's role, where nobody else can use it",
    )
    acknowledge(
        provider,
        LAMBDA_RUNTIME,
        reason="the CDK chooses the runtime that its handler was tested with, and moves it on with its releases",
    )
    acknowledge(
        provider,
        LAMBDA_CONCURRENCY,
        reason="CloudFormation invokes a handler once for each release of a deploy; a reservation would take from what "
        "the account has left, which in a new account is too little to reserve any",
    )
    acknowledge(
        provider,
        LAMBDA_DEAD_LETTERS,
        reason="what fails is answered to CloudFormation, which shows the error and rolls back; in a queue the event "
        "would be one that nobody waits for any more",
    )
