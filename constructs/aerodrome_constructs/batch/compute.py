"""Where AWS Batch jobs run: spot, on-demand and Fargate capacity that shrinks to nothing when no job waits."""

from dataclasses import dataclass

from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.escape_hatch import resource_of
from aerodrome_constructs.instances import hardened_launch_template
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import MANAGED_POLICIES

# Families, not single types: Batch picks the size that fits the waiting jobs, and EC2 has more spot pools to give from.
_INSTANCE_CLASSES = (
    ec2.InstanceClass.M5,
    ec2.InstanceClass.M6I,
    ec2.InstanceClass.M6A,
    ec2.InstanceClass.M7I,
    ec2.InstanceClass.M7A,
    ec2.InstanceClass.C6I,
    ec2.InstanceClass.C7I,
    ec2.InstanceClass.R6I,
    ec2.InstanceClass.R7I,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchComputeProps:
    """What the compute environments need to know.

    Attributes:
        vpc: The VPC.
        subnets: Where the instances are: private, with a way to ECR, S3 and CloudWatch Logs.
        spot_vcpus: The most vCPUs of spot instances at once.
        on_demand_vcpus: The most vCPUs of on-demand instances at once.
        fargate_vcpus: The most vCPUs of Fargate tasks at once.
        disk_gib: The size of each instance's encrypted gp3 disk, in GiB. It holds the images and what jobs write.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    spot_vcpus: int
    on_demand_vcpus: int
    fargate_vcpus: int
    disk_gib: int = 100


class BatchCompute(Construct):
    """Three compute environments on one security group that lets nothing in.

    No compute environment has a name of its own: CloudFormation can then make the new one before it removes the old,
    and a change that replaces one never takes away what a queue is using.

    Attributes:
        spot: Spot instances, 70-80 % cheaper, taken back with two minutes' notice.
        on_demand: On-demand instances, for when there is no spot capacity.
        fargate: Fargate, for small jobs that should start at once.
    """

    def __init__(self, scope: Construct, construct_id: str, props: BatchComputeProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=props.vpc, description="Batch instances and tasks: out, nothing in"
        )
        self._instance_role = iam.Role(
            self,
            "InstanceRole",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonEC2ContainerServiceforEC2Role")
            ],
        )
        acknowledge(
            self._instance_role,
            MANAGED_POLICIES,
            reason="the ECS agent needs what AWS lets it do in this policy, and AWS adds to it when the agent changes",
            findings=["Policy::*/AmazonEC2ContainerServiceforEC2Role"],
        )
        self._launch_template = hardened_launch_template(self, "LaunchTemplate", disk_gib=props.disk_gib)
        self.spot = self._instances("Spot", props.spot_vcpus, spot=True)
        self.on_demand = self._instances("OnDemand", props.on_demand_vcpus, spot=False)
        self.fargate = batch.FargateComputeEnvironment(
            self,
            "Fargate",
            vpc=props.vpc,
            vpc_subnets=props.subnets,
            security_groups=[self._security_group],
            maxv_cpus=props.fargate_vcpus,
        )

    def _instances(self, construct_id: str, vcpus: int, *, spot: bool) -> batch.ManagedEc2EcsComputeEnvironment:
        environment = batch.ManagedEc2EcsComputeEnvironment(
            self,
            construct_id,
            vpc=self._props.vpc,
            vpc_subnets=self._props.subnets,
            security_groups=[self._security_group],
            spot=spot,
            allocation_strategy=(
                batch.AllocationStrategy.SPOT_PRICE_CAPACITY_OPTIMIZED
                if spot
                else batch.AllocationStrategy.BEST_FIT_PROGRESSIVE
            ),
            instance_classes=list(_INSTANCE_CLASSES),
            use_optimal_instance_classes=False,
            instance_role=self._instance_role,
            launch_template=self._launch_template,
            minv_cpus=0,
            maxv_cpus=vcpus,
        )
        # The L2 names no version, which means the default one: the first, for ever. A change of the template would
        # never reach an instance.
        resource_of(environment, batch.CfnComputeEnvironment).add_property_override(
            "ComputeResources.LaunchTemplate.Version", self._launch_template.latest_version_number
        )
        return environment
