import pytest

from aerodrome_constructs.policy.iam_no_wildcard_actions import RULE
from tests.constructs.policy.findings import findings, resource


def policy(**statement: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Resource": "arn:aws:s3:::mine", **statement}}


@pytest.mark.parametrize("action", ["*", "*:*", "s3:*", "s3:**", "s?:GetObject"])
def test_everything_in_a_service_is_found(action: str) -> None:
    rights = resource("AWS::IAM::Policy", PolicyDocument=policy(Action=["s3:GetObject", action]))
    assert findings(RULE, Rights=rights) == [
        f"Rights Properties.PolicyDocument: {action} gives everything that there is, and that will be"
    ]


@pytest.mark.parametrize("negated", ["NotAction", "NotResource"])
def test_all_but_what_is_named_is_found(negated: str) -> None:
    rights = resource("AWS::IAM::ManagedPolicy", PolicyDocument=policy(**{negated: "s3:DeleteBucket"}))
    (finding,) = findings(RULE, Rights=rights)
    assert f"{negated} with Allow" in finding


def test_rights_in_the_role_itself_are_looked_at() -> None:
    role = resource("AWS::IAM::Role", Policies=[{"PolicyName": "Rights", "PolicyDocument": policy(Action="iam:*")}])
    assert len(findings(RULE, Role=role)) == 1


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:Get*"])
def test_actions_that_are_named_are_right(action: str) -> None:
    assert findings(RULE, Rights=resource("AWS::IAM::Policy", PolicyDocument=policy(Action=action))) == []


def test_a_denial_may_be_of_everything() -> None:
    rights = resource("AWS::IAM::Policy", PolicyDocument=policy(Effect="Deny", Action="*"))
    assert findings(RULE, Rights=rights) == []


def test_a_keys_policy_may_leave_the_key_to_the_account() -> None:
    # Without it, nobody could change the policy any more.
    key = resource("AWS::KMS::Key", KeyPolicy=policy(Action="kms:*", Principal={"AWS": "arn:aws:iam::1:root"}))
    assert findings(RULE, Key=key) == []
