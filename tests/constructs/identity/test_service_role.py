import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity import allow, service_role
from aerodrome_constructs.policy import acknowledgements
from tests.templates import ACCOUNT, TemplateJson, new_stack, only, synthesized, text, trust

ONE = "arn:aws:sqs:us-east-1:111122223333:one"


def role_in(stack: cdk.Stack, **options: object) -> TemplateJson:
    service_role(
        stack,
        "Role",
        service="events.amazonaws.com",
        statements=[allow(["sqs:SendMessage"], [ONE])],
        **options,  # type: ignore[arg-type]  # each test's own
    )
    return synthesized(stack)


def test_the_service_takes_it_on_behalf_of_this_account_alone() -> None:
    (statement,) = trust(only(role_in(new_stack()), "AWS::IAM::Role"))
    assert statement.principals == ["events.amazonaws.com"]
    assert statement.conditions == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_it_can_be_for_one_resource_of_the_account() -> None:
    (statement,) = trust(only(role_in(new_stack(), source_arn=ONE), "AWS::IAM::Role"))
    assert statement.conditions == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": ONE},
    }


def test_what_it_may_do_is_there_when_the_role_is() -> None:
    template = role_in(new_stack())
    ((rights,),) = [only(template, "AWS::IAM::Role")["Policies"]]
    assert [(one["Action"], one["Resource"]) for one in rights["PolicyDocument"]["Statement"]] == [
        ("sqs:SendMessage", ONE)
    ]
    assert "AWS::IAM::Policy" not in {resource["Type"] for resource in template["Resources"].values()}


def test_a_boundary_limits_it() -> None:
    stack = new_stack()
    boundary = iam.ManagedPolicy(stack, "Boundary", statements=[allow(["sqs:*"], [ONE])])
    role = only(role_in(stack, boundary=boundary), "AWS::IAM::Role")
    assert text(role["PermissionsBoundary"]).startswith("${Boundary")


@pytest.mark.parametrize("wildcards", [[], ["Resource::one/[*]"]])
def test_what_the_packs_find_is_acknowledged_where_they_find_something(wildcards: list[str]) -> None:
    with acknowledgements() as given:
        role_in(new_stack(), wildcards=wildcards, because="a name that comes later")
    found = {one.rule.name: one.reason for one in given}
    assert found.pop("IAMNoInlinePolicy")
    assert found == ({"IAMNoWildcardPermissions": "a name that comes later"} if wildcards else {})
