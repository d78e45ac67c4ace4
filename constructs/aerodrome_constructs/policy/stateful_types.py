"""Which resources hold what no deployment can bring back."""

from typing import Final

STATEFUL_TYPES: Final = frozenset(
    {
        "AWS::ACMPCA::CertificateAuthority",
        "AWS::Backup::BackupVault",
        "AWS::CloudTrail::EventDataStore",
        "AWS::CloudTrail::Trail",
        "AWS::Cognito::IdentityPool",
        "AWS::Cognito::UserPool",
        "AWS::DocDB::DBCluster",
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::EC2::Volume",
        "AWS::ECR::Repository",
        "AWS::EFS::FileSystem",
        "AWS::EKS::Cluster",
        "AWS::ElastiCache::CacheCluster",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::ElastiCache::ServerlessCache",
        "AWS::FSx::FileSystem",
        "AWS::KMS::Key",
        "AWS::KMS::ReplicaKey",
        "AWS::Kinesis::Stream",
        "AWS::Logs::LogGroup",
        "AWS::MSK::Cluster",
        "AWS::Neptune::DBCluster",
        "AWS::OpenSearchService::Domain",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::RDS::GlobalCluster",
        "AWS::Redshift::Cluster",
        "AWS::Route53::HostedZone",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
        "AWS::Timestream::Database",
    }
)
"""Types whose loss is a loss of data, keys, addresses or identities: those of ``aerodrome plan``
(``cli/aerodrome/plan/stateful.py``) without queues. To replace a queue that is read loses what is in it, which a plan
stops; but to keep one whose stack is gone helps nobody, as nobody reads it any more."""
