import pytest

from aerodrome_constructs.policy.stateful_resources_protected import RULE
from tests.constructs.policy.findings import findings, resource


@pytest.mark.parametrize("resource_type", ["AWS::RDS::DBInstance", "AWS::RDS::DBCluster", "AWS::EKS::Cluster"])
def test_deletion_protection_is_right(resource_type: str) -> None:
    assert findings(RULE, Thing=resource(resource_type, DeletionProtection=True)) == []


def test_a_database_that_may_be_deleted_is_found() -> None:
    database = resource("AWS::RDS::DBInstance", DeletionProtection=False)
    assert findings(RULE, Database=database) == [
        "Database Properties.DeletionProtection: DeletionProtection is False; it has to be true"
    ]


def test_a_cluster_that_says_nothing_is_found() -> None:
    assert findings(RULE, Cluster=resource("AWS::EKS::Cluster")) == [
        "Cluster Properties.DeletionProtection: DeletionProtection is not set; it has to be true"
    ]


def test_an_instance_of_a_cluster_is_protected_by_the_cluster() -> None:
    assert findings(RULE, Instance=resource("AWS::RDS::DBInstance", DBClusterIdentifier={"Ref": "Cluster"})) == []
