"""The rules that are acknowledged somewhere in the platform: all of them, so that the number is in plain sight.

A rule has one entry, however many packs name it. Adding one is a decision: a test holds the number at 15, and
``docs/reference/acknowledgements.md`` lists where each is acknowledged, and why.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRule:
    """A rule of somebody else that does not hold everywhere.

    Attributes:
        name: Its own name, whatever the packs make of it.
        ids: What those that have it call it: a pack, the CDK or the house.
        asks: What it asks for, in one sentence.
        by_finding: Whether the packs report, and want acknowledged, each part of a resource by itself, as in
            ``AwsSolutions-IAM5[Action::s3:*]``.
    """

    name: str
    ids: tuple[str, ...]
    asks: str
    by_finding: bool = False


def _in_packs(
    name: str, asks: str, *, hipaa: bool = True, nist: bool = True, pci: bool = False, own: str = ""
) -> KnownRule:
    packs = (("HIPAA.Security", hipaa), ("NIST.800.53.R5", nist), ("PCI.DSS.321", pci))
    ids = [f"{pack}-{name}" for pack, has_it in packs if has_it]
    return KnownRule(name=name, ids=(*([f"AwsSolutions-{own}"] if own else []), *ids), asks=asks)


MANAGED_POLICIES: Final = KnownRule(
    name="IAMNoManagedPolicies",
    ids=("AwsSolutions-IAM4",),
    asks="Roles do not use policies that AWS manages.",
    by_finding=True,
)
WILDCARDS: Final = KnownRule(
    name="IAMNoWildcardPermissions",
    ids=("AwsSolutions-IAM5",),
    asks="Policies name actions and resources in full, without a wildcard.",
    by_finding=True,
)
INLINE_POLICY: Final = _in_packs(
    "IAMNoInlinePolicy", "Roles get their permissions from managed policies, not from policies of their own.", pci=True
)
LAMBDA_RUNTIME: Final = KnownRule(
    name="LambdaLatestVersion", ids=("AwsSolutions-L1",), asks="Functions run on the newest runtime of their language."
)
LAMBDA_CONCURRENCY: Final = _in_packs("LambdaConcurrency", "Functions have a limit of their own on concurrent runs.")
LAMBDA_DEAD_LETTERS: Final = _in_packs("LambdaDLQ", "Functions have a dead-letter queue for events that failed.")
BUCKET_REPLICATION: Final = _in_packs(
    "S3BucketReplicationEnabled", "Buckets are replicated to another bucket.", pci=True
)
BUCKET_KMS: Final = _in_packs("S3DefaultEncryptionKMS", "Buckets encrypt with a KMS key by default.", pci=True)
SECRET_ROTATION: Final = _in_packs("SecretsManagerRotationEnabled", "Secrets are rotated on a schedule.", own="SMG4")
INTERNET_ROUTE: Final = _in_packs(
    "VPCNoUnrestrictedRouteToIGW", "No route table sends 0.0.0.0/0 to an internet gateway.", pci=True
)
DATABASE_MULTI_AZ: Final = _in_packs("RDSMultiAZSupport", "Databases have a standby in another zone.", own="RDS3")
DATABASE_BACKUP_PLAN: Final = _in_packs("RDSInBackupPlan", "Databases are in a plan of AWS Backup of their own stack.")

# The CDK's own warnings: they fail no synth, and are not left to scroll by either.
ZONES_BY_NAME: Final = KnownRule(
    name="W3010", ids=("CloudFormation-Validate::W3010",), asks="Templates name no availability zone."
)
KUBECTL_WITHOUT_INTERNET: Final = KnownRule(
    name="isolatedSubnetsForKubectlPrivateSubnets",
    ids=("Annotation::@aws-cdk/aws-eks:isolatedSubnetsForKubectlPrivateSubnets",),
    asks="The functions that run kubectl and helm have a way to the services that they call.",
)

STATEFUL_RETAINED: Final = KnownRule(
    name="stateful-resources-retained",
    ids=("Aerodrome::stateful-resources-retained",),
    asks="What holds data, keys or logs stays when its stack is deleted or its resource replaced.",
)
