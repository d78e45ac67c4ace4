import pytest

from aerodrome_constructs.identity import karpenter_statements
from tests.templates import ACCOUNT, REGION, Statement

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:interruptions"
NODE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/nodes"
OWNED = "kubernetes.io/cluster/ours"


@pytest.fixture(scope="module")
def statements() -> list[Statement]:
    made = karpenter_statements(
        partition="aws",
        region=REGION,
        account=ACCOUNT,
        cluster_name="ours",
        node_role_arn=NODE_ROLE,
        queue_arn=QUEUE,
    )
    return [Statement("", statement.to_statement_json()) for statement in made]


def that_allow(statements: list[Statement], action: str) -> list[Statement]:
    found = [statement for statement in statements if action in statement.actions]
    assert found, f"nothing allows {action}"
    return found


@pytest.mark.parametrize("action", ["ec2:CreateFleet", "ec2:RunInstances", "ec2:CreateLaunchTemplate"])
def test_what_it_makes_is_marked_as_the_clusters(statements: list[Statement], action: str) -> None:
    marked = [
        statement
        for statement in that_allow(statements, action)
        if statement.conditions.get("StringEquals", {}).get(f"aws:RequestTag/{OWNED}") == "owned"
    ]
    assert len(marked) == 1


def test_instances_and_volumes_cannot_be_made_unmarked(statements: list[Statement]) -> None:
    for statement in that_allow(statements, "ec2:RunInstances"):
        if not statement.conditions:
            # What an instance is made from, none of which comes into being.
            kinds = {resource.rpartition(":")[2] for resource in statement.resources}
            assert kinds == {
                "image/*",
                "snapshot/*",
                "capacity-reservation/*",
                "placement-group/*",
                "security-group/*",
                "subnet/*",
            }


@pytest.mark.parametrize("action", ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"])
def test_it_changes_and_deletes_only_what_is_the_clusters(statements: list[Statement], action: str) -> None:
    for statement in that_allow(statements, action):
        assert statement.conditions["StringEquals"][f"aws:ResourceTag/{OWNED}"] == "owned"


def test_it_cannot_mark_as_the_clusters_what_somebody_else_made(statements: list[Statement]) -> None:
    for statement in that_allow(statements, "ec2:CreateTags"):
        equal = statement.conditions["StringEquals"]
        on_creation = equal.get("ec2:CreateAction") == ["CreateFleet", "CreateLaunchTemplate", "RunInstances"]
        assert on_creation or equal.get(f"aws:ResourceTag/{OWNED}") == "owned"


def test_it_gives_instances_the_nodes_role_and_no_other(statements: list[Statement]) -> None:
    (statement,) = that_allow(statements, "iam:PassRole")
    assert statement.resources == [NODE_ROLE]
    assert statement.conditions == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}


def test_of_iam_it_only_reads_but_for_the_nodes_role(statements: list[Statement]) -> None:
    # With the right to make instance profiles it could put any role that it may pass into one.
    actions = {action for statement in statements for action in statement.actions if action.startswith("iam:")}
    assert actions == {"iam:GetInstanceProfile", "iam:ListInstanceProfiles", "iam:PassRole"}


def test_it_takes_messages_from_its_queue_and_no_other_and_sends_none(statements: list[Statement]) -> None:
    about_queues = [
        statement for statement in statements if any(action.startswith("sqs:") for action in statement.actions)
    ]
    assert [(statement.actions, statement.resources) for statement in about_queues] == [
        (["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], [QUEUE])
    ]


def test_it_asks_for_zonal_shifts_of_its_cluster_only(statements: list[Statement]) -> None:
    (statement,) = that_allow(statements, "arc-zonal-shift:GetManagedResource")
    cluster = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/ours"
    assert statement.conditions == {"StringEquals": {"arc-zonal-shift:ResourceIdentifier": cluster}}


def test_it_knows_of_no_other_cluster_and_no_other_region(statements: list[Statement]) -> None:
    (statement,) = that_allow(statements, "eks:DescribeCluster")
    assert statement.resources == [f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/ours"]
    for reading in that_allow(statements, "ec2:DescribeInstances"):
        assert reading.conditions == {"StringEquals": {"aws:RequestedRegion": REGION}}


def test_on_everything_without_a_condition_it_may_only_ask_for_prices(statements: list[Statement]) -> None:
    free = [statement.actions for statement in statements if "*" in statement.resources and not statement.conditions]
    assert free == [["pricing:GetProducts"]]
