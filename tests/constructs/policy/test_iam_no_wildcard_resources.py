import pytest

from aerodrome_constructs.policy.iam_no_wildcard_resources import ON_EVERYTHING, RULE
from tests.constructs.policy.findings import findings, resource


def rights(action: object, arn: object, effect: str = "Allow") -> dict[str, object]:
    statement = {"Effect": effect, "Action": action, "Resource": arn}
    return dict(resource("AWS::IAM::Policy", PolicyDocument={"Version": "2012-10-17", "Statement": [statement]}))


@pytest.mark.parametrize("arn", ["*", "**", ["arn:aws:s3:::mine/*", "*"]], ids=str)
def test_an_action_on_everything_is_found(arn: object) -> None:
    assert findings(RULE, Rights=rights(["ec2:DescribeVpcs", "s3:GetObject"], arn)) == [
        "Rights Properties.PolicyDocument: s3:GetObject on everything"
    ]


@pytest.mark.parametrize("arn", ["arn:aws:s3:::mine/*", {"Fn::GetAtt": ["Bucket", "Arn"]}], ids=str)
def test_an_action_on_something_is_right(arn: object) -> None:
    assert findings(RULE, Rights=rights("s3:GetObject", arn)) == []


def test_what_is_on_the_list_is_right_and_what_is_only_alike_is_not() -> None:
    assert findings(RULE, Rights=rights("ec2:DescribeVpcs", "*")) == []
    assert len(findings(RULE, Rights=rights("ec2:DescribeVpc*", "*"))) == 1


def test_a_denial_may_be_on_everything() -> None:
    assert findings(RULE, Rights=rights("s3:GetObject", "*", effect="Deny")) == []


def test_each_action_is_on_the_list_once_and_each_entry_says_why() -> None:
    actions = [action for entry in ON_EVERYTHING for action in entry.actions]
    assert len(actions) == len(set(actions)) > 50
    assert all(len(entry.reason.split()) > 4 for entry in ON_EVERYTHING)
