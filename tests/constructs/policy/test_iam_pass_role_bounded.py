import pytest

from aerodrome_constructs.policy.iam_pass_role_bounded import RULE
from tests.constructs.policy.findings import findings, resource

ROLE = "arn:aws:iam::111122223333:role/trainer"
TO_ECS = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def problems(action: object, role: object, condition: object) -> list[str]:
    statement = {"Effect": "Allow", "Action": action, "Resource": role, "Condition": condition}
    policy = resource("AWS::IAM::Policy", PolicyDocument={"Version": "2012-10-17", "Statement": [statement]})
    return [finding.partition(": ")[2] for finding in findings(RULE, Policy=policy)]


@pytest.mark.parametrize("role", [ROLE, {"Fn::GetAtt": ["Trainer", "Arn"]}], ids=str)
def test_a_role_that_is_named_to_a_service_that_is_named_is_right(role: object) -> None:
    assert problems("iam:PassRole", role, TO_ECS) == []
    assert problems("iam:PassRole", role, {"StringEquals": {"iam:passedtoservice": ["ec2.amazonaws.com"]}}) == []


@pytest.mark.parametrize("role", ["*", "arn:aws:iam::111122223333:role/*", f"{ROLE}-?"])
def test_any_role_of_a_name_is_found(role: str) -> None:
    assert problems("iam:PassRole", [ROLE, role], TO_ECS) == [f"iam:PassRole on {role}, which is any role of that name"]


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
        {"StringNotEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        {"StringEqualsIfExists": {"iam:PassedToService": "ec2.amazonaws.com"}},
    ],
    ids=str,
)
def test_any_service_is_found(condition: object) -> None:
    assert problems("iam:PassRole", ROLE, condition) == ["iam:PassRole to any service"]


def test_any_service_of_a_name_is_found() -> None:
    condition = {"StringLike": {"iam:PassedToService": "*.amazonaws.com"}}
    assert problems("iam:PassRole", ROLE, condition) == [
        "iam:PassRole to *.amazonaws.com, which is any service of that name"
    ]


@pytest.mark.parametrize("action", ["iam:Pass*", "IAM:passrole", ["iam:GetRole", "iam:*"]], ids=str)
def test_a_pattern_that_holds_the_action_is_looked_at(action: object) -> None:
    assert problems(action, ROLE, {}) == ["iam:PassRole to any service"]


def test_other_actions_are_not() -> None:
    assert problems(["iam:GetRole", "iam:PassRoleBinding"], "*", {}) == []
