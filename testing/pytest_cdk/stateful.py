"""The resources that hold what no deployment can bring back, and the list of their logical IDs."""

from collections.abc import Collection, Mapping

# Deleting or replacing one of these loses data, keys, addresses or identities that the code does not hold.
# CloudFormation replaces a resource when its logical ID changes, which a moved or renamed construct does silently.
STATEFUL_TYPES = frozenset(
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
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
        "AWS::Timestream::Database",
    }
)


def stateful_lines(stacks: Mapping[str, Mapping[str, object]], types: Collection[str]) -> list[str]:
    """List the stateful resources of an assembly.

    Args:
        stacks: Templates by stack.
        types: The CloudFormation types that count as stateful.

    Returns:
        Sorted lines ``Stack LogicalId Type``.
    """
    lines = []
    for stack, template in stacks.items():
        resources = template.get("Resources", {})
        if isinstance(resources, Mapping):
            lines += [f"{stack} {name} {body['Type']}" for name, body in resources.items() if body["Type"] in types]
    return sorted(lines)
