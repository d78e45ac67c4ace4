import pytest

from aerodrome_constructs.identity import load_balancer_controller_statements
from tests.templates import ACCOUNT, REGION, Statement

RESOURCE_IS_OURS = ("aws:ResourceTag/elbv2.k8s.aws/cluster", "ours")
MARKED_OURS = ("aws:RequestTag/elbv2.k8s.aws/cluster", "ours")


@pytest.fixture(scope="module")
def statements() -> list[Statement]:
    made = load_balancer_controller_statements(partition="aws", region=REGION, account=ACCOUNT, cluster_name="ours")
    return [Statement("", statement.to_statement_json()) for statement in made]


def that_allow(statements: list[Statement], action: str) -> list[Statement]:
    found = [statement for statement in statements if action in statement.actions]
    assert found, f"nothing allows {action}"
    return found


def requires(statement: Statement, equality: tuple[str, str]) -> bool:
    return equality in statement.conditions.get("StringEquals", {}).items()


@pytest.mark.parametrize("action", ["CreateLoadBalancer", "CreateTargetGroup"])
def test_what_it_makes_is_marked_as_the_clusters(statements: list[Statement], action: str) -> None:
    assert all(requires(one, MARKED_OURS) for one in that_allow(statements, f"elasticloadbalancing:{action}"))


@pytest.mark.parametrize(
    "action",
    [
        "ec2:DeleteSecurityGroup",
        "ec2:DeleteTags",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
    ],
)
def test_it_changes_and_deletes_only_what_is_the_clusters(statements: list[Statement], action: str) -> None:
    assert all(requires(one, RESOURCE_IS_OURS) for one in that_allow(statements, action))


@pytest.mark.parametrize(
    ("action", "on_creation"),
    [
        ("ec2:CreateTags", ("ec2:CreateAction", "CreateSecurityGroup")),
        (
            "elasticloadbalancing:AddTags",
            ("elasticloadbalancing:CreateAction", ["CreateLoadBalancer", "CreateTargetGroup"]),
        ),
    ],
)
def test_it_cannot_mark_as_the_clusters_what_somebody_else_made(
    statements: list[Statement], action: str, on_creation: tuple[str, object]
) -> None:
    for statement in that_allow(statements, action):
        if all("listener" in resource for resource in statement.resources):
            continue  # their mark counts for nothing: no statement asks for it
        equal = statement.conditions["StringEquals"]
        assert requires(statement, RESOURCE_IS_OURS) or equal.get(on_creation[0]) == on_creation[1]


def test_it_makes_no_service_linked_role_but_the_load_balancers(statements: list[Statement]) -> None:
    (statement,) = that_allow(statements, "iam:CreateServiceLinkedRole")
    assert requires(statement, ("iam:AWSServiceName", "elasticloadbalancing.amazonaws.com"))


def test_no_other_right_in_iam_is_given(statements: list[Statement]) -> None:
    actions = {action for statement in statements for action in statement.actions if action.startswith("iam:")}
    assert actions == {"iam:CreateServiceLinkedRole"}


def test_what_it_changes_is_of_its_account_and_region(statements: list[Statement]) -> None:
    changing = [
        (action, resource)
        for statement in statements
        for action in statement.actions
        for resource in statement.resources
        if not action.partition(":")[2].startswith(("Describe", "List"))
    ]
    assert len(changing) > 50
    # The one action that changes something and has no resource level.
    everywhere = {action for action, resource in changing if f":{ACCOUNT}:" not in resource}
    assert everywhere == {"elasticloadbalancing:SetWebAcl"}
    elsewhere = {action for action, resource in changing if f":{REGION}:{ACCOUNT}:" not in resource} - everywhere
    assert elsewhere == {"iam:CreateServiceLinkedRole"}, "IAM has no regions"


def test_each_action_names_resources_of_its_own_kind(statements: list[Statement]) -> None:
    kinds = {
        "elasticloadbalancing:CreateListener": {"loadbalancer"},
        "elasticloadbalancing:CreateLoadBalancer": {"loadbalancer"},
        "elasticloadbalancing:CreateRule": {"listener"},
        "elasticloadbalancing:CreateTargetGroup": {"targetgroup"},
        "elasticloadbalancing:DeleteListener": {"listener"},
        "elasticloadbalancing:DeleteRule": {"listener-rule"},
        "elasticloadbalancing:ModifyTargetGroup": {"targetgroup"},
        "elasticloadbalancing:SetRulePriorities": {"listener-rule"},
        "ec2:CreateSecurityGroup": {"security-group", "vpc"},
        "ec2:GetSecurityGroupsForVpc": {"vpc"},
    }
    assert kinds == {
        action: {
            resource.split(":")[5].partition("/")[0]
            for statement in that_allow(statements, action)
            for resource in statement.resources
        }
        for action in kinds
    }
