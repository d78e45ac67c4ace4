"""The resources that hold what no deploy brings back: reviewed, each with what is lost when it goes."""

from collections.abc import Mapping

STATEFUL: Mapping[str, str] = {
    "AWS::ACMPCA::CertificateAuthority": "the authority's private key, and with it every certificate that it signed",
    "AWS::Backup::BackupVault": "the recovery points",
    "AWS::CloudTrail::EventDataStore": "the audit events",
    "AWS::CloudTrail::Trail": "the unbroken record of who did what",
    "AWS::Cognito::IdentityPool": "the identities that roles were given to",
    "AWS::Cognito::UserPool": "the users, whose passwords nobody can read out",
    "AWS::DocDB::DBCluster": "the databases",
    "AWS::DynamoDB::GlobalTable": "the items",
    "AWS::DynamoDB::Table": "the items",
    "AWS::EC2::Volume": "the blocks on the volume",
    "AWS::ECR::Repository": "the images, those that run among them",
    "AWS::EFS::FileSystem": "the files",
    "AWS::EKS::Cluster": "everything in Kubernetes: objects, volumes' claims, and the issuer that roles trust",
    "AWS::ElastiCache::CacheCluster": "the cached data",
    "AWS::ElastiCache::ReplicationGroup": "the cached data",
    "AWS::ElastiCache::ServerlessCache": "the cached data",
    "AWS::FSx::FileSystem": "the files",
    "AWS::KMS::Key": "the key, and with it everything that it encrypted",
    "AWS::KMS::ReplicaKey": "the key in this region, and with it what it encrypted here",
    "AWS::Kinesis::Stream": "the records that nobody has read yet",
    "AWS::Logs::LogGroup": "the logs",
    "AWS::MSK::Cluster": "the topics",
    "AWS::Neptune::DBCluster": "the graph",
    "AWS::OpenSearchService::Domain": "the indices",
    "AWS::RDS::DBCluster": "the databases",
    "AWS::RDS::DBInstance": "the databases",
    "AWS::RDS::GlobalCluster": "the databases",
    "AWS::Redshift::Cluster": "the warehouse",
    "AWS::Route53::HostedZone": "the records, and the name servers that the parent zone names",
    "AWS::S3::Bucket": "the objects",
    "AWS::SQS::Queue": "the messages that nobody has read yet",
    "AWS::SecretsManager::Secret": "the secret's value",
    "AWS::Timestream::Database": "the time series",
}
"""CloudFormation type to what it holds. The logical IDs of the same types are under review in the snapshots
(``pytest_cdk.stateful``). The house rules keep them all when their stack goes, but queues
(``aerodrome_constructs.policy.stateful_types`` has the reason)."""
