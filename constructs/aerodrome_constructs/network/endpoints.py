"""The endpoints over which a VPC reaches AWS, and what may be taken through them."""

from collections.abc import Mapping
from types import MappingProxyType

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

# Construct IDs and services by the names that endpoints have for them. What nodes call all the time: images, tokens,
# secrets, logs.
_OF_NODES = {
    "EcrApi": "ecr.api",
    "EcrDocker": "ecr.dkr",
    "Logs": "logs",
    "SecretsManager": "secretsmanager",
    "Sts": "sts",
}
NODE_ENDPOINTS: Mapping[str, str] = MappingProxyType(_OF_NODES)
"""What nodes call most, and what is worth an endpoint even where there is a way out."""

PRIVATE_ENDPOINTS: Mapping[str, str] = MappingProxyType(
    {
        **_OF_NODES,
        # EKS (User Guide, "Deploy private clusters with limited internet access"): nodes set their names over EC2, the
        # kubectl Lambda describes the cluster, the EBS CSI driver and Karpenter call EC2 and EKS. EKS Auth is Pod
        # Identity's.
        "Ec2": "ec2",
        "Eks": "eks",
        "EksAuth": "eks-auth",
        # The keys of the cluster's service account tokens, which MLflow's sign-on asks for. Without it their name is
        # not known in the VPC, as the endpoint of EKS answers for all below eks.<region>.amazonaws.com (EKS User Guide,
        # "Access the cluster OIDC endpoint using AWS PrivateLink"; since July 2026, in every region with EKS).
        "OidcEks": "oidc-eks",
        # The load balancer controller makes load balancers and finds their certificates.
        "LoadBalancing": "elasticloadbalancing",
        "CertificateManager": "acm",
        # Cluster Autoscaler, for who runs it.
        "AutoScaling": "autoscaling",
        # Flyte submits jobs; the ECS agent of their instances has three endpoints (AWS Batch User Guide, "Access AWS
        # Batch using an interface endpoint"; Amazon ECS Developer Guide, "Amazon ECS interface VPC endpoints").
        "Batch": "batch",
        "Ecs": "ecs",
        "EcsAgent": "ecs-agent",
        "EcsTelemetry": "ecs-telemetry",
        # Passwords and their rotation, with the keys that they are encrypted with.
        "Kms": "kms",
        "Rds": "rds",
        # The parameters that name AMIs to Karpenter, and Session Manager, for nodes whose role has it (Systems Manager
        # User Guide, "Improve the security of EC2 instances by using VPC endpoints for Systems Manager").
        "Ssm": "ssm",
        "SsmMessages": "ssmmessages",
        "Ec2Messages": "ec2messages",
        # Flyte's notifications and events, and the queue that tells Karpenter of interruptions.
        "Events": "events",
        "Sns": "sns",
        "Sqs": "sqs",
        # Alarms and metrics; and the CDK's Lambda in the VPC that calls the one that runs kubectl.
        "Monitoring": "monitoring",
        "Lambda": "lambda",
    }
)
"""All that the platform calls in AWS but S3, whose endpoint is a gateway: what a VPC without a way out needs.

IAM and the price list are not among them. IAM has an endpoint in us-east-1 alone and the price list in few regions, so
what calls them does without: Karpenter takes an instance profile that stands already, and prices that it brings along.
"""

# Where data could be carried off, and whose guides have policies for their endpoints: not every service has. Images and
# parameters may be AWS's own, in accounts of AWS.
_OWN_IDENTITIES = frozenset({"ecr.api", "ecr.dkr", "ssm"})
_OWN_IDENTITIES_AND_RESOURCES = frozenset(
    {"aps-workspaces", "events", "kms", "lambda", "logs", "monitoring", "secretsmanager", "sns", "sqs"}
)


def add_interface_endpoint(
    vpc: ec2.Vpc, construct_id: str, service: str, *, subnets: ec2.SubnetSelection, group: ec2.ISecurityGroup
) -> ec2.InterfaceVpcEndpoint:
    """Add an interface endpoint that answers to the service's own name.

    Args:
        vpc: The VPC.
        construct_id: The ID of the endpoint in it.
        service: The service as endpoints name it, such as ``ecr.api``.
        subnets: Where the endpoint has its addresses.
        group: The security group that says who reaches it.
    """
    return vpc.add_interface_endpoint(
        construct_id,
        service=ec2.InterfaceVpcEndpointAwsService(service),
        subnets=subnets,
        security_groups=[group],
        # Otherwise the CDK adds a rule of its own, for the VPC's first range alone.
        open=False,
    )


def keep_to_own_account(endpoint: ec2.InterfaceVpcEndpoint, service: str) -> None:
    """Let only the account's own identities through to its own resources, where data could leave otherwise.

    Without it a workload could write what it read to a foreign queue or log group, with credentials of that account,
    although there is no way to the internet. After aws-samples/data-perimeter-policy-examples, `vpc_endpoint_policies`.
    """
    account = cdk.Stack.of(endpoint).account
    own_identity, own_resource = {"aws:PrincipalAccount": account}, {"aws:ResourceAccount": account}
    if service in _OWN_IDENTITIES:
        endpoint.add_to_policy(_allow("OwnIdentities", own_identity))
    elif service in _OWN_IDENTITIES_AND_RESOURCES:
        endpoint.add_to_policy(_allow("OwnIdentitiesAndResources", own_identity | own_resource))
    elif service == "sts":
        endpoint.add_to_policy(_allow("OwnIdentities", own_identity))
        # Who comes with the token of a service account is nobody yet: what counts is whose the role is.
        endpoint.add_to_policy(_allow("OwnRoles", own_resource, "sts:AssumeRoleWithWebIdentity"))


def keep_s3_to_own_account(endpoint: ec2.GatewayVpcEndpoint) -> None:
    """Let the account's own buckets through, and of AWS's the three kinds that the platform cannot do without.

    Those of Systems Manager's patches are not among them: nodes are replaced by newer images, not patched.
    """
    stack = cdk.Stack.of(endpoint)
    own = {"aws:PrincipalAccount": stack.account, "aws:ResourceAccount": stack.account}
    endpoint.add_to_policy(_allow("OwnIdentitiesAndResources", own))

    def let_through(sid: str, action: str, bucket: str) -> None:
        endpoint.add_to_policy(_allow(sid, None, action, f"arn:{stack.partition}:s3:::{bucket}/*"))

    # "Minimum Amazon S3 bucket permissions for Amazon ECR", Amazon ECR User Guide.
    let_through("LayersOfImages", "s3:GetObject", f"prod-{stack.region}-starport-layer-bucket")
    # Hosts of AWS Batch install two packages when they start: the CloudWatch agent, and the client of FSx for Lustre
    # (Amazon Linux 2023 User Guide, "Deterministic upgrades": the repositories are in S3, a bucket a region).
    let_through("PackagesOfAmazonLinux", "s3:GetObject", f"al2023-repos-{stack.region}-de612dc2")
    # Where Lambdas in the VPC answer CloudFormation. Without it a deploy waits for an hour and fails. The region stands
    # in the bucket's name without its dashes (CloudFormation User Guide, "Set up VPC endpoints").
    region = cdk.Fn.join("", cdk.Fn.split("-", stack.region))
    let_through("AnswersToCloudFormation", "s3:PutObject", f"cloudformation-custom-resource-response-{region}")


def _allow(
    sid: str, condition: Mapping[str, str] | None, action: str = "*", resource: str = "*"
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        principals=[iam.AnyPrincipal()],
        actions=[action],
        resources=[resource],
        conditions={"StringEquals": dict(condition)} if condition else None,
    )
