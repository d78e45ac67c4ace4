"""What the roles of every environment can do, worked out from the synthesized policies as AWS works it out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import pytest

import aerodrome_constructs.policy
from aerodrome_constructs.policy import Rule, StackTemplate
from aerodrome_constructs.policy.iam_no_wildcard_resources import ON_EVERYTHING
from aerodrome_constructs.policy.iam_statements import actions, allowing, names_action
from aerodrome_constructs.policy.template import as_list, as_text
from aerodrome_stacks.environment import Environment
from pytest_cdk import AssemblyFactory
from pytest_cdk.settings import Settings
from tests.iam.account import Account, Resource
from tests.iam.evaluator import Document, listed
from tests.templates import TemplateJson

# IAM's limits, of characters without white space: of all policies that stand in a role, and of one that stands alone.
LONGEST_INLINE, LONGEST_MANAGED = 10_240, 6_144
TAG = "secretsmanager:ResourceTag/aerodrome:environment"
RULES = [rule for rule in aerodrome_constructs.policy.HOUSE_RULES if rule.name.startswith("iam-")]


def database_secrets(account: Account) -> dict[bool, list[Resource]]:
    """The secrets of the database's users, by whether it is the master."""
    secrets = [secret for secret in account.of_type("AWS::SecretsManager::Secret") if secret.stack == "Database"]
    found = {which: [one for one in secrets if ("Master" in one.logical_id) is which] for which in (False, True)}
    assert [len(found[which]) for which in (False, True)] == [3, 1]
    return found


def readers(account: Account, secret: Resource) -> set[str]:
    """Who may read a secret that carries the tags that it has, by the name of the role."""
    tags = {f"secretsmanager:ResourceTag/{tag['Key']}": tag["Value"] for tag in secret.properties["Tags"]}
    assert tags.keys() >= {TAG}
    return {
        arn.rpartition("/")[2]
        for arn, role in account.principals.items()
        if account.can(role, "secretsmanager:GetSecretValue", secret.arn, tags)
    }


def roles(account: Account, stack: str, *parts: str) -> set[str]:
    """The names of a stack's roles whose logical IDs begin with one of some texts."""
    return {
        role.arn.rpartition("/")[2]
        for role in account.of_type("AWS::IAM::Role")
        if role.stack == stack and role.logical_id.startswith(parts)
    }


def test_nobody_reads_a_clients_password_but_who_has_to(account: Account) -> None:
    # What makes the databases and their users; what changes their passwords, where it does; what hands them to pods.
    functions = roles(account, "Database", "DatabasesRole", "RotationRole")
    allowed = functions | roles(account, "Identity", "ExternalSecrets")
    assert len(allowed) > len(functions) > 0
    for secret in database_secrets(account)[False]:
        assert readers(account, secret) == allowed, secret.logical_id


def test_nobody_reads_the_masters_password_but_the_databases_own_functions(account: Account) -> None:
    # In the cluster it would be anybody's who may write an ExternalSecret.
    (secret,) = database_secrets(account)[True]
    allowed = roles(account, "Database", "DatabasesRole", "RotationRole")
    assert allowed
    assert readers(account, secret) == allowed


@pytest.mark.parametrize(("tag", "possible"), [("own", True), ("another", False), (None, False)])
def test_external_secrets_reads_secrets_that_carry_the_environments_tag(
    account: Account, environment: Environment, tag: str | None, *, possible: bool
) -> None:
    role = account.role("Identity", "ExternalSecrets")
    value = environment.name if tag == "own" else tag
    context = {} if value is None else {TAG: value}
    secret = f"arn:aws:secretsmanager:{environment.region}:{environment.account}:secret:theirs-AbCdEf"
    assert account.can(role, "secretsmanager:GetSecretValue", secret, context) is possible
    assert not account.can(role, "secretsmanager:PutSecretValue", secret, context)


@pytest.fixture
def templates(stacks: Mapping[str, TemplateJson]) -> list[StackTemplate]:
    """All stacks, as the house rules get them."""
    return [StackTemplate(path=name, file=f"{name}.json", template=template) for name, template in stacks.items()]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_policy_keeps_the_rules_about_iam(templates: list[StackTemplate], rule: Rule) -> None:
    assert sum(1 for _ in allowing(templates)) > 50, "the listing is broken"
    assert [f"{one.stack}/{one.logical_id}: {one.problem}" for one in rule.check(templates)] == []


def test_the_rules_about_iam_are_in_force() -> None:
    assert {rule.name for rule in RULES} == {
        "iam-no-wildcard-actions",
        "iam-no-wildcard-resources",
        "iam-pass-role-bounded",
        "iam-web-identity-exact",
    }


def test_roles_are_passed_to_services_and_both_are_named(
    templates: list[StackTemplate], environment: Environment
) -> None:
    passing = {
        (resource.logical_id[:-8], service)
        for resource, _, statement in allowing(templates)
        if any(names_action(action, "iam:PassRole") for action in actions(statement))
        for service in listed(statement["Condition"]["StringEquals"]["iam:PassedToService"])
    }
    domains = {domain for project in environment.projects for domain in project.domains}
    propeller = {(f"Flytepropeller{domain.capitalize()}", "ecs-tasks.amazonaws.com") for domain in domains}
    assert propeller | {("Karpenter", "ec2.amazonaws.com")} <= passing


def aws_actions() -> Mapping[str, Any]:
    """What AWS says of the actions of each service, as cfn-lint carries it: the resources that an action knows."""
    data = files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json"
    found: Mapping[str, Any] = json.loads(data.read_text(encoding="utf-8"))
    return found


def with_resources(pattern: str, known: Mapping[str, Any]) -> list[str]:
    """The actions of a pattern that know resources."""
    service, _, _ = pattern.partition(":")
    held = {
        f"{service}:{action}": description
        for action, description in known[service]["Actions"].items()
        if names_action(pattern, f"{service}:{action}")
    }
    assert held, f"AWS knows no {pattern}"
    return sorted(action for action, description in held.items() if description.get("Resources"))


def test_what_is_allowed_on_everything_has_no_resource_level_or_says_why_it_is_there() -> None:
    known = aws_actions()
    for entry in ON_EVERYTHING:
        for action in entry.actions:
            has_resources = with_resources(action, known)
            assert bool(has_resources) is bool(entry.although), f"{action}: {has_resources}"


def on_everything(templates: Sequence[StackTemplate]) -> Iterator[str]:
    for _, _, statement in allowing(templates):
        if any(set(as_text(one)) <= {"*"} for one in as_list(statement.get("Resource"))):
            yield from actions(statement)


def test_nothing_is_on_the_list_that_no_environment_needs(
    cdk_assembly: AssemblyFactory, cdk_settings: Settings
) -> None:
    used = {
        action
        for variant in cdk_settings.variants
        for action in on_everything(
            [
                StackTemplate(path=name, file=f"{name}.json", template=template)
                for name, template in cdk_assembly(variant).stacks.items()
            ]
        )
    }
    assert {action for entry in ON_EVERYTHING for action in entry.actions} - used == set()


def size(statements: Sequence[Document]) -> int:
    return len(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":")))


def test_policies_are_within_iams_limits(account: Account) -> None:
    for role in account.of_type("AWS::IAM::Role"):
        inline = [policy["PolicyDocument"]["Statement"] for policy in role.properties.get("Policies", [])]
        assert sum(map(size, inline)) < LONGEST_INLINE, role.logical_id
    for policy in account.of_type("AWS::IAM::ManagedPolicy"):
        assert size(policy.properties["PolicyDocument"]["Statement"]) < LONGEST_MANAGED, policy.logical_id
