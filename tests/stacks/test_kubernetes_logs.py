"""The log groups of Kubernetes: which there are, what they have, and who writes to them."""

from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.kubernetes_logs_stack import log_namespaces
from tests.iam.account import Account
from tests.templates import Properties, TemplateJson, properties, resources, text

WRITE = ("logs:CreateLogStream", "logs:PutLogEvents")


@pytest.fixture
def groups(stacks: Mapping[str, TemplateJson], environment: Environment) -> dict[str, Properties]:
    """The groups by what they are for."""
    made = properties(stacks["KubernetesLogs"], "AWS::Logs::LogGroup").values()
    prefix = f"/aerodrome/{environment.name}/kubernetes/"
    assert all(group["LogGroupName"].startswith(prefix) for group in made)
    return {group["LogGroupName"].removeprefix(prefix): group for group in made}


def test_every_namespace_has_one_and_what_has_none_has_one_together(
    groups: Mapping[str, Properties], environment: Environment
) -> None:
    projects = {f"{project}-{domain}" for project, domain in environment.project_domains}

    assert {"kube-system", "flyte", "mlflow", "monitoring", "node-agents"} | projects <= set(groups)
    assert set(groups) == {*log_namespaces(environment), "other"}


def test_they_keep_as_long_as_the_environment_says_and_are_encrypted(
    groups: Mapping[str, Properties], environment: Environment
) -> None:
    for group in groups.values():
        assert group["RetentionInDays"] >= environment.retention.logs.days
        assert "Logs" in text(group["KmsKeyId"])


def test_they_stay_when_the_stack_goes_but_not_when_it_was_never_made(stacks: Mapping[str, TemplateJson]) -> None:
    for group in resources(stacks["KubernetesLogs"], "AWS::Logs::LogGroup").values():
        assert group["DeletionPolicy"] == "RetainExceptOnCreate"
        assert group["UpdateReplacePolicy"] == "Retain"


def test_a_projects_group_says_whose_it_is(groups: Mapping[str, Properties], environment: Environment) -> None:
    def tags(namespace: str) -> dict[str, str]:
        return {one["Key"]: one["Value"] for one in groups[namespace]["Tags"]}

    for project, domain in environment.project_domains:
        whose = {"aerodrome:project": project, "aerodrome:domain": domain}
        assert whose.items() <= tags(f"{project}-{domain}").items()
    assert "aerodrome:project" not in tags("flyte")


@pytest.mark.parametrize(
    ("group", "possible"),
    [
        ("/aerodrome/{name}/kubernetes/flyte", True),
        ("/aerodrome/{name}/kubernetes/{project}-{domain}", True),
        # Of AWS Batch, of another environment, of AWS's own services.
        ("/aerodrome/{name}/batch/{project}/{domain}", False),
        ("/aerodrome/another/kubernetes/flyte", False),
        ("/aws/eks/aerodrome-{name}/cluster", False),
    ],
)
def test_fluent_bit_writes_to_them_and_to_no_others(
    account: Account, environment: Environment, group: str, *, possible: bool
) -> None:
    project, domain = environment.project_domains[0]
    name = group.format(name=environment.name, project=project, domain=domain)
    stream = f"arn:aws:logs:{environment.region}:{environment.account}:log-group:{name}:log-stream:pod/container"
    role = account.role("Identity", "FluentBit")

    assert [account.can(role, action, stream) for action in WRITE] == [possible, possible]


@pytest.mark.parametrize("action", ["logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:DeleteLogStream"])
def test_fluent_bit_makes_and_changes_no_group(account: Account, environment: Environment, action: str) -> None:
    group = f"log-group:/aerodrome/{environment.name}/kubernetes/flyte"
    arn = f"arn:aws:logs:{environment.region}:{environment.account}:{group}:log-stream:pod/container"

    assert not account.can(account.role("Identity", "FluentBit"), action, arn)


def test_what_fluent_bit_writes_is_nothing_that_it_may_read(account: Account, environment: Environment) -> None:
    group = f"log-group:/aerodrome/{environment.name}/kubernetes/flyte"
    arn = f"arn:aws:logs:{environment.region}:{environment.account}:{group}:log-stream:pod/container"

    assert not account.can(account.role("Identity", "FluentBit"), "logs:GetLogEvents", arn)
