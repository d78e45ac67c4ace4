from aerodrome_constructs.policy.no_public_databases import RULE
from tests.constructs.policy.findings import findings, resource


def test_a_database_that_says_it_is_private_is_right() -> None:
    assert findings(RULE, Database=resource("AWS::RDS::DBInstance", PubliclyAccessible=False)) == []


def test_a_public_database_is_found() -> None:
    assert findings(RULE, Database=resource("AWS::RDS::DBInstance", PubliclyAccessible=True)) == [
        "Database Properties.PubliclyAccessible: PubliclyAccessible is True; it has to be false"
    ]


def test_a_database_that_leaves_it_to_the_service_is_found() -> None:
    assert findings(RULE, Database=resource("AWS::RDS::DBInstance")) == [
        "Database Properties.PubliclyAccessible: PubliclyAccessible is not set; it has to be false"
    ]
