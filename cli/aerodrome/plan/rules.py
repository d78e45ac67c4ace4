"""What the schemas do not tell, reviewed: which updates interrupt, and when a condition of theirs holds.

A schema says that a property replaces the resource, may replace it, or does not. Three things are missing there: that
an update stops what runs on the resource; the condition behind "may"; and the few properties that cannot change
although the schema calls them mutable. Each rule names the page of AWS that it was read on. The conditions of RDS are
those of its CloudFormation handler (``ImmutabilityHelper`` in aws-cloudformation-resource-providers-rds on GitHub).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aerodrome.plan.model import Verdict

Properties = Mapping[str, Any]

_TEMPLATES = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference"
_DB_INSTANCE = f"{_TEMPLATES}/aws-resource-rds-dbinstance.html"
_DB_SETTINGS = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html"
_DB_STORAGE = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.ModifyingExisting.html"
_COMPUTE_ENVIRONMENT = f"{_TEMPLATES}/aws-resource-batch-computeenvironment.html"
_NODE_GROUP = "https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html"
_KMS_KEY = f"{_TEMPLATES}/aws-resource-kms-key.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a change of one property does.

    Attributes:
        verdict: The verdict, from the resource's properties before and after.
        why: The reason in a few words, for the reader of the plan.
        page: Where AWS says so.
        in_place: What is said instead of `why` where the verdict is "in place". Empty: `why`.
        refuses: Whether AWS refuses the change, whatever the schema or a change set says of it, from the resource's
            properties before and after.
    """

    verdict: Callable[[Properties, Properties], Verdict]
    why: str
    page: str
    in_place: str = ""
    refuses: Callable[[Properties, Properties], bool] = lambda _before, _after: False

    def reason(self, verdict: Verdict) -> str:
        """What to say of the change where this is its verdict."""
        return self.in_place or self.why if verdict is Verdict.IN_PLACE else self.why


def _interrupts(why: str, page: str) -> Rule:
    return Rule(verdict=lambda _before, _after: Verdict.WITH_INTERRUPTION, why=why, page=page)


def _refused(why: str, page: str) -> Rule:
    return Rule(
        verdict=lambda _before, _after: Verdict.REPLACED, why=why, page=page, refuses=lambda _before, _after: True
    )


def _engine(before: Properties, after: Properties) -> Verdict:
    upgrades = {("oracle-ee", "oracle-ee-cdb"), ("oracle-se2", "oracle-se2-cdb"), ("aurora", "aurora-mysql")}
    change = (before.get("Engine"), after.get("Engine"))
    return Verdict.WITH_INTERRUPTION if change in upgrades else Verdict.REPLACED


def _zone(_before: Properties, after: Properties) -> Verdict:
    gives_up_zone = "AvailabilityZone" not in after and after.get("MultiAZ") is True
    return Verdict.WITH_INTERRUPTION if gives_up_zone else Verdict.REPLACED


def _backups(before: Properties, after: Properties) -> Verdict:
    # A DB instance has one day of backups unless told otherwise.
    switched = any(str(one.get("BackupRetentionPeriod", 1)) == "0" for one in (before, after))
    return Verdict.WITH_INTERRUPTION if switched else Verdict.IN_PLACE


def _shrinks(before: Properties, after: Properties) -> bool:
    sizes = [str(one.get("AllocatedStorage", "")) for one in (before, after)]
    return all(size.isdecimal() for size in sizes) and int(sizes[1]) < int(sizes[0])


def _insights_key(before: Properties, _after: Properties) -> Verdict:
    return Verdict.REPLACED if "PerformanceInsightsKMSKeyId" in before else Verdict.IN_PLACE


def _tenancy(before: Properties, after: Properties) -> Verdict:
    to_default = before.get("InstanceTenancy") == "dedicated" and after.get("InstanceTenancy", "default") == "default"
    return Verdict.IN_PLACE if to_default else Verdict.REPLACED


def _compute_resources(_before: Properties, after: Properties) -> Verdict:
    # Batch's default is to replace the compute environment.
    return Verdict.WITH_INTERRUPTION if after.get("ReplaceComputeEnvironment") is False else Verdict.REPLACED


def _compute_network(before: Properties, after: Properties) -> Verdict:
    # Of a compute environment on Fargate, Batch updates security groups and subnets, and ReplaceComputeEnvironment is
    # not asked ("Fargate compute environments are always updated without interruption").
    types = [str(one.get("ComputeResources", {}).get("Type", "")) for one in (before, after)]
    on_fargate = all(one.startswith("FARGATE") for one in types)
    return Verdict.IN_PLACE if on_fargate else _compute_resources(before, after)


_HOSTS_GO = "running jobs lose their host, and are tried again where their retries allow it: docs/explanation/batch.md"
_INFRASTRUCTURE = Rule(verdict=_compute_resources, why=_HOSTS_GO, page=_COMPUTE_ENVIRONMENT)
_COMPUTE_NETWORK = Rule(
    verdict=_compute_network,
    why=_HOSTS_GO,
    in_place="running jobs on Fargate stay as they are",
    page=_COMPUTE_ENVIRONMENT,
)
_NODES = _interrupts("every node is drained and replaced", _NODE_GROUP)
_FIXED = _refused("AWS KMS cannot change it: CloudFormation refuses the update; make another key", _KMS_KEY)

RULES: Mapping[str, Mapping[str, Rule]] = {
    "AWS::Batch::ComputeEnvironment": {
        "ComputeResources.SecurityGroupIds": _COMPUTE_NETWORK,
        "ComputeResources.Subnets": _COMPUTE_NETWORK,
    }
    | {
        f"ComputeResources.{name}": _INFRASTRUCTURE
        for name in (
            "AllocationStrategy",
            "BidPercentage",
            "Ec2Configuration",
            "Ec2KeyPair",
            "ImageId",
            "InstanceRole",
            "InstanceTypes",
            "LaunchTemplate",
            "PlacementGroup",
            "ScalingPolicy",
            "Tags",
            "Type",
        )
    },
    "AWS::DynamoDB::Table": {
        "SSESpecification": _interrupts(
            "AWS documents some interruption", f"{_TEMPLATES}/aws-resource-dynamodb-table.html"
        )
    },
    "AWS::EC2::VPC": {
        "InstanceTenancy": Rule(
            verdict=_tenancy,
            why="only from dedicated to default does the VPC stay",
            page=f"{_TEMPLATES}/aws-resource-ec2-vpc.html",
        )
    },
    "AWS::EKS::Nodegroup": {
        "LaunchTemplate.Version": _NODES,
        "ReleaseVersion": _NODES,
        "Version": _NODES,
    },
    "AWS::KMS::Key": {"KeySpec": _FIXED, "KeyUsage": _FIXED, "MultiRegion": _FIXED, "Origin": _FIXED},
    "AWS::RDS::DBInstance": {
        "AllocatedStorage": Rule(
            verdict=lambda _before, _after: Verdict.IN_PLACE,
            why="storage only grows: RDS refuses less than there is",
            page=_DB_STORAGE,
            refuses=_shrinks,
        ),
        "AutoMinorVersionUpgrade": _interrupts("a minor version that waits is installed", _DB_INSTANCE),
        "AvailabilityZone": Rule(
            verdict=_zone, why="it stays only if the zone is given up for MultiAZ", page=_DB_INSTANCE
        ),
        "BackupRetentionPeriod": Rule(
            verdict=_backups, why="an outage only where backups are switched on or off", page=_DB_SETTINGS
        ),
        "CACertificateIdentifier": _interrupts("the instance restarts", _DB_INSTANCE),
        "DBInstanceClass": _interrupts("the instance is down while its class changes", _DB_SETTINGS),
        "DBParameterGroupName": _interrupts("the instance restarts", _DB_INSTANCE),
        "Engine": Rule(verdict=_engine, why="another engine is another instance", page=_DB_INSTANCE),
        "EngineVersion": _interrupts("the instance is down during the upgrade", _DB_SETTINGS),
        "MultiAZ": _interrupts("AWS documents some interruption", _DB_INSTANCE),
        "PerformanceInsightsKMSKeyId": Rule(verdict=_insights_key, why="a key can be chosen once", page=_DB_INSTANCE),
        "PreferredMaintenanceWindow": _interrupts(
            "an outage where the new window is now and maintenance waits", _DB_SETTINGS
        ),
        "StorageType": _interrupts("a short outage when the storage changes its type", _DB_SETTINGS),
    },
    "AWS::RDS::DBParameterGroup": {
        "Parameters": _interrupts("the instances that use the group may restart", _DB_INSTANCE)
    },
}
"""Type, then property, to what its change does. Where a schema replaces the resource without condition, it does."""

CHANGING_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    # Every update makes a version.
    "AWS::EC2::LaunchTemplate": frozenset({"LatestVersionNumber", "DefaultVersionNumber"}),
    # Every update makes a revision, which Ref gives.
    "AWS::Batch::JobDefinition": frozenset({"", "JobDefinitionArn"}),
}
"""Type to the attributes that an update in place changes, with it the properties that take them. Empty: ``Ref``."""


def rule_for(resource_type: str, property_path: str) -> Rule | None:
    """The reviewed rule of a property, if there is one: its own, or that of a property around it."""
    rules = RULES.get(resource_type, {})
    names = property_path.split(".")
    for length in range(len(names), 0, -1):
        if rule := rules.get(".".join(names[:length])):
            return rule
    return None
