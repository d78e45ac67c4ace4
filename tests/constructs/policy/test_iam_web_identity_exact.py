import json
from typing import Any

import pytest

from aerodrome_constructs.policy.iam_web_identity_exact import RULE
from tests.constructs.policy.findings import findings, resource

ISSUER = "oidc.eks.us-east-1.amazonaws.com/id/0123"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
AUDIENCE = {f"{ISSUER}:aud": "sts.amazonaws.com"}
SUBJECT = {f"{ISSUER}:sub": "system:serviceaccount:flyte:flyteadmin"}


def trust(condition: object, federated: object = PROVIDER, action: str = "sts:AssumeRoleWithWebIdentity") -> Any:  # noqa: ANN401 - a document
    statement = {"Effect": "Allow", "Action": action, "Principal": {"Federated": federated}, "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def problems(document: object) -> list[str]:
    role = resource("AWS::IAM::Role", AssumeRolePolicyDocument=document)
    return [finding.partition(": ")[2] for finding in findings(RULE, Role=role)]


def test_one_service_account_and_the_audience_of_aws_are_right() -> None:
    assert problems(trust({"StringEquals": {**AUDIENCE, **SUBJECT}})) == []


def test_a_document_that_stands_as_text_is_read() -> None:
    text = json.dumps(trust({"StringEquals": AUDIENCE}))
    start, end = text[:30], text[30:]
    assert len(problems({"Fn::Join": ["", [start, end]]})) == 1


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": SUBJECT},
        {"StringEquals": {**SUBJECT, f"{ISSUER}:aud": ["sts.amazonaws.com", "another"]}},
        {"StringEquals": {**SUBJECT, "oidc.eks.us-east-1.amazonaws.com/id/other:aud": "sts.amazonaws.com"}},
        {"StringEquals": SUBJECT, "StringLike": {f"{ISSUER}:aud": "*"}},
    ],
    ids=str,
)
def test_another_audience_is_found(condition: object) -> None:
    assert problems(trust(condition)) == ["the token's audience need not be sts.amazonaws.com alone"]


@pytest.mark.parametrize(
    ("condition", "whom"),
    [
        ({"StringEquals": AUDIENCE}, "anybody with a token of the provider"),
        ({"StringEquals": AUDIENCE, "StringLike": SUBJECT}, "anybody with a token of the provider"),
        (
            {"StringEquals": {**AUDIENCE, f"{ISSUER}:sub": "system:serviceaccount:flyte:*"}},
            "system:serviceaccount:flyte:*",
        ),
        (
            {"StringEquals": {**AUDIENCE, f"{ISSUER}:sub": ["system:serviceaccount:a:b", "x"]}},
            "system:serviceaccount:a:b, x",
        ),
    ],
    ids=str,
)
def test_more_than_one_service_account_is_found(condition: object, whom: str) -> None:
    assert problems(trust(condition)) == [f"the role is not for one service account, but for {whom}"]


def test_more_than_one_provider_is_found() -> None:
    document = trust({"StringEquals": {**AUDIENCE, **SUBJECT}}, federated=[PROVIDER, f"{PROVIDER}4"])
    assert problems(document) == ["tokens of 2 providers are taken, not of one"]


def test_a_pattern_that_holds_the_action_is_looked_at() -> None:
    assert len(problems(trust({}, action="sts:AssumeRole*"))) == 2


def test_a_role_for_a_service_is_not_looked_at() -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    assert problems({"Version": "2012-10-17", "Statement": [statement]}) == []
