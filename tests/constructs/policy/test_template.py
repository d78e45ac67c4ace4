import json
from typing import Any

import pytest

from aerodrome_constructs.policy.template import as_text, statements


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ({"Ref": "Vpc"}, "${Vpc}"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "${Bucket.Arn}"),
        ({"Fn::ImportValue": "stack:Export"}, "${stack:Export}"),
        ({"Fn::Sub": "arn:${AWS::Partition}:iam"}, "arn:${AWS::Partition}:iam"),
        ({"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/*"]]}, "${Bucket.Arn}/*"),
        ({"Fn::Select": [0, ["a"]]}, "{'Fn::Select': [0, ['a']]}"),
    ],
)
def test_references_become_text(value: Any, expected: str) -> None:  # noqa: ANN401 - any JSON value
    assert as_text(value) == expected


def test_statements_are_found_in_lists_in_documents_and_in_text() -> None:
    one, other, third = ({"Effect": "Allow", "Action": action} for action in ("a:A", "b:B", "c:C"))
    policies = [{"PolicyName": "P", "PolicyDocument": {"Statement": one}}, {"Statement": [other]}]
    text = json.dumps({"Statement": [third]})
    issuer = {"Fn::Select": [1, {"Fn::Split": ["//", {"Ref": "Url"}]}]}
    joined = {"Fn::Join": ["", ['{"Issuer": "', issuer, '", "Statement": []}']]}
    assert list(statements([policies, text, joined, "no JSON", 3, None])) == [one, other, third]
