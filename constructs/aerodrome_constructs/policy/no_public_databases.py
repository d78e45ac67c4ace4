"""No database has an address on the internet."""

from collections.abc import Iterator

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Stacks

_TYPES = ("AWS::RDS::DBInstance", "AWS::Redshift::Cluster", "AWS::DMS::ReplicationInstance")


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for database in stack.of_type(*_TYPES):
            value = database.properties.get("PubliclyAccessible")
            # Left out, the service decides by the subnets, or says yes: https://docs.aws.amazon.com/AmazonRDS/latest/
            # APIReference/API_CreateDBInstance.html
            if value is not False:
                problem = f"PubliclyAccessible is {'not set' if value is None else value}; it has to be false"
                yield found(database, problem, "PubliclyAccessible")


RULE = Rule(
    name="no-public-databases",
    asks="Every database says that it is not publicly accessible.",
    mend="set publicly_accessible=False on the instance",
    check=_check,
)
