"""What is backed up, and where backups are copied to."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSources:
    """What is backed up, and the key that it is encrypted with.

    Attributes:
        database_arn: The ARN of an RDS instance.
        buckets: The buckets.
        data_key: The key of all of them.
    """

    database_arn: str
    buckets: Sequence[s3.IBucket]
    data_key: kms.IKey

    @property
    def bucket_arns(self) -> list[str]:
        """The ARNs of the buckets."""
        return [bucket.bucket_arn for bucket in self.buckets]

    @property
    def object_arns(self) -> list[str]:
        """The ARNs of everything in the buckets."""
        return [bucket.arn_for_objects("*") for bucket in self.buckets]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyDestination:
    """Where backups are copied to.

    Attributes:
        region: Another region.
        vault_arn: The ARN of a vault there.
        key_alias: The alias of that vault's key, without the leading ``alias/``. A key's own ARN is known only where
            it was made, and an alias is as good: KMS compares it (``kms:ResourceAliases``).
    """

    region: str
    vault_arn: str
    key_alias: str
