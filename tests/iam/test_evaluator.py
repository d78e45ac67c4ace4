"""The evaluator against what AWS documents of its own: a wrong answer here would make every test that uses it pass."""

from typing import Any

import pytest

from tests.iam.conditions import UnknownOperatorError
from tests.iam.evaluator import Document, Principal, Request, is_allowed

ROLE = "arn:aws:iam::111122223333:role/trainer"
OBJECT = "arn:aws:s3:::mine/a/data.csv"
READ = Request(action="s3:GetObject", resource=OBJECT)
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1"


def statement(effect: str = "Allow", **parts: Any) -> Document:  # noqa: ANN401 - any part of a statement
    if not {"Action", "NotAction"} & set(parts):
        parts["Action"] = "s3:GetObject"
    if not {"Resource", "NotResource"} & set(parts):
        parts["Resource"] = "arn:aws:s3:::mine/*"
    return {"Effect": effect, **parts}


def role(*policies: Document, boundary: list[Document] | None = None, **tags: str) -> Principal:
    return Principal(arn=ROLE, policies=policies, boundary=boundary, tags=tags)


def when(condition: object, **context: str | list[str]) -> bool:
    """Whether a statement with a condition allows a request with a context."""
    request = Request(action="s3:GetObject", resource=OBJECT, context=context)
    return is_allowed(role(statement(Condition=condition)), request)


def test_what_nothing_allows_is_refused() -> None:
    assert not is_allowed(role(), READ)


def test_what_a_policy_allows_is_allowed() -> None:
    assert is_allowed(role(statement()), READ)


@pytest.mark.parametrize("resource", [OBJECT, "arn:aws:s3:::mine/*", "arn:aws:s3:::mine/?/data.csv", "*"])
def test_a_denial_wins_over_any_permission(resource: str) -> None:
    assert not is_allowed(role(statement(), statement("Deny", Resource=resource)), READ)


def test_a_denial_of_something_else_changes_nothing() -> None:
    assert is_allowed(role(statement(), statement("Deny", Action="s3:PutObject")), READ)


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("s3:GetObject", True),
        ("S3:getobject", True),
        ("s3:Get*", True),
        ("s3:*", True),
        ("*", True),
        ("s3:GetObjec?", True),
        ("s3:GetObjectAcl", False),
        ("s3:Put*", False),
        ("s3:GetObject?", False),
        (["s3:PutObject", "s3:GetObject"], True),
    ],
    ids=str,
)
def test_actions_have_wildcards_and_no_case(action: object, *, allowed: bool) -> None:
    assert is_allowed(role(statement(Action=action)), READ) is allowed


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        (OBJECT, True),
        ("arn:aws:s3:::mine/*", True),
        ("arn:aws:s3:::*/data.csv", True),  # a star goes over slashes
        ("arn:aws:s3:::mine/?/data.csv", True),
        ("arn:aws:s3:::mine/A/data.csv", False),  # case counts
        ("arn:aws:s3:::mine/a", False),
        ("arn:aws:s3:::mine", False),
        ("arn:aws:s3:::mine/[a]/data.csv", False),  # brackets mean nothing
        (["arn:aws:s3:::other/*", "arn:aws:s3:::mine/a/*"], True),
    ],
    ids=str,
)
def test_resources_have_wildcards_and_case(resource: object, *, allowed: bool) -> None:
    assert is_allowed(role(statement(Resource=resource)), READ) is allowed


def test_not_action_is_all_actions_but_those() -> None:
    assert is_allowed(role(statement(NotAction="s3:PutObject")), READ)
    assert not is_allowed(role(statement(NotAction=["s3:PutObject", "s3:Get*"])), READ)
    # The usual form of "stay in your service".
    assert not is_allowed(role(statement(), statement("Deny", NotAction="ec2:*", Resource="*")), READ)


def test_not_resource_is_all_resources_but_those() -> None:
    assert is_allowed(role(statement(NotResource="arn:aws:s3:::other/*")), READ)
    assert not is_allowed(role(statement(NotResource="arn:aws:s3:::mine/*")), READ)


def test_a_boundary_and_a_policy_must_both_allow() -> None:
    assert is_allowed(role(statement(), boundary=[statement()]), READ)
    assert not is_allowed(role(statement(), boundary=[statement(Action="s3:PutObject")]), READ)
    assert not is_allowed(role(statement(), boundary=[]), READ)
    assert not is_allowed(role(boundary=[statement()]), READ), "a boundary gives nothing"


def test_a_denial_in_the_boundary_counts() -> None:
    assert not is_allowed(role(statement(), boundary=[statement(Action="*"), statement("Deny")]), READ)


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"s3:prefix": "a"}}, {"s3:prefix": "a"}, True),
        ({"StringEquals": {"s3:prefix": "a"}}, {"S3:Prefix": "a"}, True),  # keys have no case
        ({"StringEquals": {"s3:prefix": "a"}}, {"s3:prefix": "A"}, False),  # values have
        ({"StringEquals": {"s3:prefix": "*"}}, {"s3:prefix": "a"}, False),  # and no wildcards
        ({"StringEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": "b"}, True),  # any of them
        ({"StringEquals": {"s3:prefix": "a"}}, {}, False),
        ({"StringEquals": {"s3:prefix": "a", "x:y": "1"}}, {"s3:prefix": "a"}, False),  # all keys
        ({"StringEquals": {"s3:prefix": "a"}, "StringLike": {"x:y": "1*"}}, {"s3:prefix": "a", "x:y": "2"}, False),
        ({"StringEqualsIfExists": {"s3:prefix": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"s3:prefix": "a"}}, {"s3:prefix": "b"}, False),
        ({"StringLike": {"s3:prefix": "a/*"}}, {"s3:prefix": "a/b/c"}, True),
        ({"StringLike": {"s3:prefix": "a/*"}}, {"s3:prefix": "ab"}, False),
        ({"StringNotEquals": {"x:y": "a"}}, {"x:y": "a"}, False),
        ({"StringNotEquals": {"x:y": "a"}}, {"x:y": "b"}, True),
        ({"StringNotEquals": {"x:y": "a"}}, {}, True),  # a key that is not there is not equal
        ({"StringNotEquals": {"x:y": ["a", "b"]}}, {"x:y": "b"}, False),  # none of them
        ({"StringNotLike": {"x:y": "a*"}}, {"x:y": "ab"}, False),
        ({"ArnLike": {"x:y": "arn:aws:ecs:*:1:*"}}, {"x:y": "arn:aws:ecs:eu-west-1:1:task/a"}, True),
        ({"ArnLike": {"x:y": "arn:aws:*:1:task"}}, {"x:y": "arn:aws:ecs:eu:1:task"}, False),  # part by part
        ({"ArnEquals": {"x:y": "arn:aws:s3:::a*"}}, {"x:y": "arn:aws:s3:::ab"}, True),
        ({"ArnNotLike": {"x:y": "arn:aws:s3:::a"}}, {"x:y": "arn:aws:s3:::b"}, True),
        ({"Bool": {"x:y": "true"}}, {"x:y": "true"}, True),
        ({"Bool": {"x:y": True}}, {"x:y": "true"}, True),
        ({"Bool": {"x:y": "false"}}, {"x:y": "true"}, False),
        ({"BoolIfExists": {"x:y": "false"}}, {}, True),
        ({"Null": {"x:y": "true"}}, {}, True),
        ({"Null": {"x:y": "true"}}, {"x:y": "a"}, False),
        ({"Null": {"x:y": False}}, {"x:y": "a"}, True),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, {"s3:TlsVersion": "1.1"}, True),
        ({"NumericLessThan": {"s3:TlsVersion": 1.2}}, {"s3:TlsVersion": "1.3"}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ["a"]}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ["a", "c"]}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {}, True),
    ],
    ids=str,
)
def test_conditions(condition: object, context: dict[str, str | list[str]], *, holds: bool) -> None:
    assert when(condition, **context) is holds


@pytest.mark.parametrize("operator", ["IpAddress", "ForAnyValue:StringEquals", "DateLessThan", "StringEqual"])
def test_an_operator_that_nobody_knows_is_an_error_and_no_guess(operator: str) -> None:
    with pytest.raises(UnknownOperatorError, match=operator):
        when({"StringEquals": {"never:there": "x"}, operator: {"aws:SourceIp": "10.0.0.0/8"}})


def test_a_policys_variable_is_what_the_request_says() -> None:
    own = statement(Resource="arn:aws:s3:::mine/${aws:PrincipalTag/project}/*")
    assert is_allowed(role(own, project="a"), READ)
    assert not is_allowed(role(own, project="b"), READ)
    assert not is_allowed(role(own), READ), "without the tag it fits nothing"


def test_a_star_in_a_value_of_the_request_is_a_star_and_no_wildcard() -> None:
    own = statement(Resource="arn:aws:s3:::mine/${aws:PrincipalTag/project}/*")
    assert not is_allowed(role(own, project="*"), READ)
    tagged = {"StringEquals": {"x:owner": "${aws:PrincipalTag/project}"}}
    star = role(statement(Condition=tagged), project="*")
    assert is_allowed(star, Request(action="s3:GetObject", resource=OBJECT, context={"x:owner": "*"}))
    assert not is_allowed(star, Request(action="s3:GetObject", resource=OBJECT, context={"x:owner": "a"}))


def test_a_buckets_policy_may_let_the_role_in_by_itself() -> None:
    to_role = statement(Principal={"AWS": ROLE})
    assert is_allowed(role(), READ, [to_role])
    assert not is_allowed(role(), READ, [statement(Principal={"AWS": "arn:aws:iam::111122223333:role/other"})])
    assert not is_allowed(role(), READ, [statement(Principal={"Service": "s3.amazonaws.com"})])
    assert not is_allowed(role(boundary=[]), READ, [to_role]), "within the boundary"


def test_a_buckets_policy_that_names_the_account_leaves_it_to_the_roles_own() -> None:
    to_account = statement(Principal={"AWS": "arn:aws:iam::111122223333:root"})
    assert not is_allowed(role(), READ, [to_account])
    assert is_allowed(role(statement()), READ, [to_account])


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ["1", ROLE]}], ids=str)
def test_a_denial_in_a_buckets_policy_counts(principal: object) -> None:
    assert not is_allowed(role(statement()), READ, [statement("Deny", Principal=principal)])


def test_the_policy_of_a_key_must_say_yes_in_any_case() -> None:
    use = Request(action="kms:Decrypt", resource=KEY)
    own = role(statement(Action="kms:Decrypt", Resource=KEY))
    to_account = statement(Action="kms:*", Resource="*", Principal={"AWS": "arn:aws:iam::111122223333:root"})
    to_role = statement(Action="kms:Decrypt", Resource="*", Principal={"AWS": ROLE})
    assert not is_allowed(own, use, [])
    assert is_allowed(own, use, [to_account])
    assert not is_allowed(role(), use, [to_account])
    assert is_allowed(role(), use, [to_role])


def test_who_everybody_but_somebody_is_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="NotPrincipal"):
        is_allowed(role(statement()), READ, [statement("Deny", NotPrincipal={"AWS": ROLE})])
