"""Where AWS Batch jobs run: capacity on instances and on Fargate that shrinks to nothing when no job waits."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.batch.families import ARM, GPU, HOSTS_SINCE, X86, Hardware
from aerodrome_constructs.batch.host import HostMetrics, user_data
from aerodrome_constructs.identity import allow
from aerodrome_constructs.instances import hardened_launch_template
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import INLINE_POLICY, MANAGED_POLICIES, WILDCARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """The most vCPUs at once.

    Attributes:
        spot: Of what AWS takes back when it needs it.
        on_demand: Of what stays.
    """

    spot: int
    on_demand: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchComputeProps:
    """What the compute environments need to know.

    Attributes:
        vpc: The VPC.
        subnets: Where the instances are: private, with a way to ECR, S3 and CloudWatch Logs.
        metrics: Where the metrics of the instances go: memory, swap, disk, processor and GPUs.
        x86: The ceilings of x86 instances.
        fargate: The ceilings of Fargate tasks.
        arm: The ceilings of instances with Graviton processors. None: there are none.
        gpu: The ceilings of instances with NVIDIA GPUs. None: there are none.
        security_groups: What instances and tasks carry beside the group of their own.
        mounts: Lines of bash with which an instance mounts file systems before it takes jobs.
        disk_gib: The size of each instance's encrypted gp3 disk, in GiB. It holds the images and what jobs write.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    metrics: HostMetrics
    x86: Ceilings
    fargate: Ceilings
    arm: Ceilings | None = None
    gpu: Ceilings | None = None
    security_groups: Sequence[ec2.ISecurityGroup] = ()
    mounts: Sequence[str] = ()
    disk_gib: int = 100


class BatchCompute(Construct):
    """Compute environments on one security group that lets nothing in.

    **What a change does.** Ceilings change in place, and so do subnets and security groups of Fargate. Whatever the
    instances are made of (types, images, when they were last made anew, launch template, role, subnets, security
    groups) makes a new compute environment: CloudFormation creates it and waits until it is VALID, points the queues at
    it, and deletes the old one last, when the whole update has succeeded. At no time is a queue without one. Three
    things make it so:

    - ``ReplaceComputeEnvironment`` is true, on purpose: the CDK's own construct sets false, which leaves the change to
      an "infrastructure update" in place. That ends jobs after ``jobExecutionTimeoutMinutes``, takes no allocation
      strategy but two, of which ``SPOT_PRICE_CAPACITY_OPTIMIZED`` is none (AWS Batch User Guide, "Updating compute
      environments"; hashicorp/terraform-provider-aws#38695), and where it cannot be rolled back leaves the stack in
      ``UPDATE_ROLLBACK_FAILED`` (CloudFormation, ``AWS::Batch::ComputeEnvironment``).
    - None has a name of its own: while the old one stands, its name is taken.
    - Nobody imports their ARNs from another stack, as CloudFormation would refuse to change such an export.

    Jobs on the instances of the old one lose their host when it goes, as after a spot reclaim, with the status reason
    ``Host EC2 (instance i-...) terminated.``: they are tried again if their retry strategy says so.

    Attributes:
        environments: The compute environments by ID: ``Spot``, ``OnDemand``, ``Fargate`` and ``FargateSpot``, and where
            there are such instances ``ArmSpot``, ``ArmOnDemand``, ``GpuSpot`` and ``GpuOnDemand``.
    """

    def __init__(self, scope: Construct, construct_id: str, props: BatchComputeProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._subnets = props.vpc.select_subnets(
            subnet_type=props.subnets.subnet_type, subnet_group_name=props.subnets.subnet_group_name
        ).subnet_ids
        self._security_groups = [group.security_group_id for group in (self._security_group(), *props.security_groups)]
        self._instance_profile = self._profile()
        self.environments = {
            **self._on_instances("", X86, props.x86),
            **self._on_instances("Arm", ARM, props.arm),
            **self._on_instances("Gpu", GPU, props.gpu),
            "Fargate": self._on_fargate("Fargate", "FARGATE", props.fargate.on_demand),
            "FargateSpot": self._on_fargate("FargateSpot", "FARGATE_SPOT", props.fargate.spot),
        }

    def _security_group(self) -> ec2.ISecurityGroup:
        return ec2.SecurityGroup(
            self, "SecurityGroup", vpc=self._props.vpc, description="Batch instances and tasks: out, nothing in"
        )

    def _profile(self) -> iam.CfnInstanceProfile:
        # All that the agent needs of CloudWatchAgentServerPolicy, which would let it read every tag and volume, and
        # write every log and metric.
        own_namespace = {"StringEquals": {"cloudwatch:namespace": self._props.metrics.namespace}}
        metrics = allow(["cloudwatch:PutMetricData"], conditions=own_namespace)
        role = iam.Role(
            self,
            "InstanceRole",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonEC2ContainerServiceforEC2Role")
            ],
            # In the role, so that the first host has it: a policy beside the role may come after it.
            inline_policies={"Metrics": iam.PolicyDocument(statements=[metrics])},
        )
        acknowledge(
            role,
            MANAGED_POLICIES,
            reason="the ECS agent needs what AWS lets it do in this policy, and AWS adds to it when the agent changes",
            findings=["Policy::*/AmazonEC2ContainerServiceforEC2Role"],
        )
        acknowledge(
            role,
            WILDCARDS,
            reason="metrics have no ARN; a condition names the namespace",
            findings=["Resource::[*]"],
        )
        acknowledge(role, INLINE_POLICY, reason="the policy, to write metrics, is this role's alone and goes with it")
        return iam.CfnInstanceProfile(self, "InstanceProfile", roles=[role.role_name])

    def _on_instances(
        self, prefix: str, hardware: Hardware, ceilings: Ceilings | None
    ) -> dict[str, batch.CfnComputeEnvironment]:
        if ceilings is None:
            return {}
        return {
            f"{prefix}Spot": self._instances(
                f"{prefix}Spot", hardware, "SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED", ceilings.spot
            ),
            # BEST_FIT waits for its one cheapest type, and cannot be updated in place.
            f"{prefix}OnDemand": self._instances(
                f"{prefix}OnDemand", hardware, "EC2", "BEST_FIT_PROGRESSIVE", ceilings.on_demand
            ),
        }

    def _instances(
        self, construct_id: str, hardware: Hardware, type_: str, strategy: str, vcpus: int
    ) -> batch.CfnComputeEnvironment:
        launch_template = hardened_launch_template(
            self,
            f"{construct_id}LaunchTemplate",
            disk_gib=self._props.disk_gib,
            user_data=user_data(
                self._props.metrics,
                compute_environment=construct_id,
                since=HOSTS_SINCE,
                has_gpus=hardware.has_gpus,
                mounts=self._props.mounts,
            ),
        )
        return batch.CfnComputeEnvironment(
            self,
            construct_id,
            type="MANAGED",
            state="ENABLED",
            replace_compute_environment=True,
            compute_resources=batch.CfnComputeEnvironment.ComputeResourcesProperty(
                type=type_,
                allocation_strategy=strategy,
                minv_cpus=0,
                maxv_cpus=vcpus,
                instance_types=list(hardware.families),
                instance_role=self._instance_profile.attr_arn,
                ec2_configuration=[
                    batch.CfnComputeEnvironment.Ec2ConfigurationObjectProperty(image_type=hardware.image_type)
                ],
                launch_template=batch.CfnComputeEnvironment.LaunchTemplateSpecificationProperty(
                    launch_template_id=launch_template.launch_template_id,
                    # No version means the default one: the first, for ever. A change of the template would never reach
                    # an instance.
                    version=launch_template.latest_version_number,
                ),
                subnets=self._subnets,
                security_group_ids=self._security_groups,
            ),
        )

    def _on_fargate(self, construct_id: str, type_: str, vcpus: int) -> batch.CfnComputeEnvironment:
        return batch.CfnComputeEnvironment(
            self,
            construct_id,
            type="MANAGED",
            state="ENABLED",
            compute_resources=batch.CfnComputeEnvironment.ComputeResourcesProperty(
                type=type_,
                maxv_cpus=vcpus,
                subnets=self._subnets,
                security_group_ids=self._security_groups,
            ),
        )
