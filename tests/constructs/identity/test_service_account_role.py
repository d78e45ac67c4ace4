import json
from collections.abc import Sequence

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity import ServiceAccount, ServiceAccountRole, ServiceAccountRoleProps, allow
from tests.templates import ACCOUNT, REGION, TemplateJson, new_stack, only, synthesized, text, trust

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
# IAM's limit for a trust policy, unless the account's quota was raised.
LONGEST_TRUST_POLICY = 2048


def role_of(
    name: str = "trainer", *, role_name: str | None = None, trusted_services: Sequence[str] = ()
) -> TemplateJson:
    stack = new_stack()
    props = ServiceAccountRoleProps(
        service_account=ServiceAccount("team-a", name),
        oidc_issuer=ISSUER,
        role_name=role_name,
        trusted_services=trusted_services,
    )
    ServiceAccountRole(stack, "Role", props)
    return synthesized(stack)


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    """A pod's role."""
    return role_of()


@pytest.fixture(scope="module")
def shared() -> TemplateJson:
    """A role for a pod and for the Batch jobs that it starts."""
    return role_of(role_name="team-a-trainer", trusted_services=["ecs-tasks.amazonaws.com"])


def test_one_service_account_can_take_the_role_and_nobody_else(template: TemplateJson) -> None:
    (statement,) = trust(only(template, "AWS::IAM::Role"))
    assert statement.actions == ["sts:AssumeRoleWithWebIdentity"]
    assert statement.principals == [f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"]
    assert statement.conditions == {
        "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": "system:serviceaccount:team-a:trainer"}
    }


def test_a_service_can_take_the_role_too_but_not_on_behalf_of_another_account(shared: TemplateJson) -> None:
    _, statement = trust(only(shared, "AWS::IAM::Role"))
    assert (statement.actions, statement.principals) == (["sts:AssumeRole"], ["ecs-tasks.amazonaws.com"])
    assert statement.conditions == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_a_role_has_a_name_where_one_was_given(template: TemplateJson, shared: TemplateJson) -> None:
    assert "RoleName" not in only(template, "AWS::IAM::Role")
    assert only(shared, "AWS::IAM::Role")["RoleName"] == "team-a-trainer"


def test_a_role_says_whose_it_is(template: TemplateJson) -> None:
    assert only(template, "AWS::IAM::Role")["Description"] == "team-a/trainer"


def test_the_longest_trust_policy_is_within_iams_limit() -> None:
    # A name may have 253 characters.
    role = only(role_of("n" * 253, trusted_services=["ecs-tasks.amazonaws.com"]), "AWS::IAM::Role")
    assert len(text(role["AssumeRolePolicyDocument"])) <= LONGEST_TRUST_POLICY


def test_a_role_needs_no_lambda_to_have_the_issuer_in_its_conditions_keys(shared: TemplateJson) -> None:
    assert [resource["Type"] for resource in shared["Resources"].values()] == ["AWS::IAM::Role"]


def test_the_issuer_may_come_from_another_stack_that_is_not_deployed_yet() -> None:
    stack = new_stack()
    elsewhere = cdk.Stack(cdk.App.of(stack), "Elsewhere", env=cdk.Environment(account=ACCOUNT, region=REGION))
    cluster = cdk.CfnResource(elsewhere, "Cluster", type="AWS::EKS::Cluster")
    issuer = cdk.Fn.select(1, cdk.Fn.split("https://", cluster.get_att("OpenIdConnectIssuerUrl").to_string()))
    account = ServiceAccount("team-a", "trainer")
    ServiceAccountRole(stack, "Role", ServiceAccountRoleProps(service_account=account, oidc_issuer=issuer))

    role = only(synthesized(stack), "AWS::IAM::Role")

    (statement,) = trust(role)
    ((audience, _), (subject, who)) = statement.conditions["StringEquals"].items()
    assert "OpenIdConnectIssuerUrl" in audience
    assert (subject.endswith(":sub"), who) == (True, account.subject)
    assert "Fn::ImportValue" in json.dumps(role), "a reference within the stack would not be there on deploy"


def test_a_role_without_rights_has_no_policy_and_no_boundary(template: TemplateJson) -> None:
    assert not {"Policies", "PermissionsBoundary", "Tags"} & set(only(template, "AWS::IAM::Role"))


def test_rights_boundary_and_tags_stand_in_the_role_itself() -> None:
    stack = new_stack()
    boundary = iam.ManagedPolicy.from_managed_policy_arn(stack, "Boundary", f"arn:aws:iam::{ACCOUNT}:policy/boundary")
    props = ServiceAccountRoleProps(
        service_account=ServiceAccount("team-a", "trainer"),
        oidc_issuer=ISSUER,
        statements=[allow(["s3:GetObject"], ["arn:aws:s3:::mine/*"])],
        boundary=boundary,
        tags={"team": "a"},
    )
    ServiceAccountRole(stack, "Role", props)
    template = synthesized(stack)

    role = only(template, "AWS::IAM::Role")
    (policy,) = role["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mine/*"}
    ]
    assert role["PermissionsBoundary"] == boundary.managed_policy_arn
    assert role["Tags"] == [{"Key": "team", "Value": "a"}]
    assert len(template["Resources"]) == 1, "a policy of its own would come after the role, and go before it"
