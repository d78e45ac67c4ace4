from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from aerodrome_constructs.identity import ServiceAccount
from aerodrome_stacks import service_accounts
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.platform import build_platform
from tests.templates import ROOT, Statement, TemplateJson, new_app, only, properties, statements, text, trust, with_id

# The EBS driver's role stands beside the add-on that uses it, in the Cluster stack.
ACCOUNTS = {
    name: account
    for name, account in vars(service_accounts).items()
    if isinstance(account, ServiceAccount) and account is not service_accounts.EBS_CSI_DRIVER
}
# The same, by the ID of the role.
ROLES = {
    "Flyteadmin": service_accounts.FLYTEADMIN,
    "Datacatalog": service_accounts.DATACATALOG,
    "Flytepropeller": service_accounts.FLYTEPROPELLER,
    "Mlflow": service_accounts.MLFLOW,
    "Grafana": service_accounts.GRAFANA,
    "LoadBalancerController": service_accounts.LOAD_BALANCER_CONTROLLER,
    "ExternalSecrets": service_accounts.EXTERNAL_SECRETS,
    "Karpenter": service_accounts.KARPENTER,
}


@pytest.fixture
def identity(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Identity"]


def subjects(role: Mapping[str, Any]) -> list[str]:
    """Which service accounts can take a role."""
    return [
        value
        for statement in trust(role)
        for key, value in statement.conditions.get("StringEquals", {}).items()
        if key.endswith(":sub")
    ]


def rights(template: TemplateJson, role: str) -> list[Statement]:
    """What a role may do. A role without a policy of its own would make every test of what it may not do pass."""
    found = statements(template, f"{role}DefaultPolicy")
    assert found, f"{role} has no policy"
    return found


def may(allowed: list[Statement], action: str, resource: str) -> bool:
    """Whether statements allow an action on a resource and none denies it, conditions aside."""
    effects = {
        statement.allows
        for statement in allowed
        if any(fnmatchcase(action, pattern) for pattern in statement.actions)
        and any(fnmatchcase(resource, pattern) for pattern in statement.resources)
    }
    return effects == {True}


def bucket_of(statement_list: list[Statement], bucket: str) -> str:
    """A bucket's ARN in the form in which the policy refers to it."""
    found = {
        resource.partition("}")[0] + "}"
        for statement in statement_list
        for resource in statement.resources
        if f"ExportsOutputFnGetAtt{bucket}" in resource
    }
    assert len(found) == 1, f"{bucket} is referred to as {sorted(found)}"
    return found.pop()


def buckets(statement_list: list[Statement], action: str) -> set[str]:
    """The buckets in which some object may be treated in a way."""
    return {
        resource.partition("FnGetAtt")[2].rpartition("Arn")[0][:-8]
        for statement in statement_list
        if any(fnmatchcase(action, pattern) for pattern in statement.actions)
        for resource in statement.resources
        if "storage:" in resource and "/" in resource.partition("}")[2]
    }


def test_every_service_account_has_a_role(identity: TemplateJson) -> None:
    assert set(ROLES.values()) == set(ACCOUNTS.values())
    for role, account in ROLES.items():
        found = with_id(identity, "AWS::IAM::Role", role)
        assert subjects(found) == [account.subject]


def test_no_two_service_accounts_share_a_role(identity: TemplateJson, environment: Environment) -> None:
    everybody = [subject for role in properties(identity, "AWS::IAM::Role").values() for subject in subjects(role)]
    assert len(everybody) == len(set(everybody))
    assert len(everybody) == len(ROLES) + sum(len(project.domains) for project in environment.projects)


def test_every_role_wants_a_token_of_the_clusters_for_aws(identity: TemplateJson) -> None:
    for role in properties(identity, "AWS::IAM::Role").values():
        (statement,) = [one for one in trust(role) if one.actions == ["sts:AssumeRoleWithWebIdentity"]]
        (provider,) = statement.principals
        issuer = provider.partition(":oidc-provider/")[2]
        assert "OpenIdConnectIssuerUrl" in issuer
        assert statement.conditions["StringEquals"][f"{issuer}:aud"] == "sts.amazonaws.com"
        assert set(statement.conditions["StringEquals"]) == {f"{issuer}:aud", f"{issuer}:sub"}


def test_each_project_has_a_role_in_each_of_its_domains(identity: TemplateJson, environment: Environment) -> None:
    named = {
        role["RoleName"]: subjects(role)
        for role in properties(identity, "AWS::IAM::Role").values()
        if "RoleName" in role
    }
    assert named == {
        f"aerodrome-{environment.name}-{project.name}-{domain}": [
            f"system:serviceaccount:{project.name}-{domain}:default"
        ]
        for project in environment.projects
        for domain in project.domains
    }


def test_batch_jobs_can_take_projects_roles_and_no_others(identity: TemplateJson) -> None:
    for role in properties(identity, "AWS::IAM::Role").values():
        services = [one for one in trust(role) if one.actions == ["sts:AssumeRole"]]
        assert [one.principals for one in services] == ([["ecs-tasks.amazonaws.com"]] if "RoleName" in role else [])


@pytest.mark.parametrize(
    ("role", "written", "read"),
    [
        ("Flyteadmin", {"Metadata"}, {"Metadata", "RawData"}),
        ("Datacatalog", {"Metadata"}, {"Metadata"}),
        ("Flytepropeller", {"Metadata", "RawData"}, {"Metadata", "RawData"}),
        ("Mlflow", {"MlflowArtifacts"}, {"MlflowArtifacts"}),
    ],
)
def test_a_component_has_the_buckets_that_it_works_with(
    identity: TemplateJson, role: str, written: set[str], read: set[str]
) -> None:
    assert buckets(rights(identity, role), "s3:PutObject") == written
    assert buckets(rights(identity, role), "s3:GetObject") == read


@pytest.mark.parametrize("role", ["Grafana", "LoadBalancerController", "ExternalSecrets", "Karpenter"])
def test_others_have_no_bucket(identity: TemplateJson, role: str) -> None:
    assert not [action for one in rights(identity, role) for action in one.actions if action.startswith("s3:")]


@pytest.fixture
def one_project(identity: TemplateJson, environment: Environment) -> tuple[list[Statement], str, str]:
    """What the first project may do in its first domain, and the names of both."""
    project = environment.projects[0]
    domain = next(iter(project.domains))
    name = f"Projects{project.name}{domain}".replace("-", "")
    return rights(identity, name), project.name, domain


@pytest.mark.parametrize(
    ("action", "bucket", "path"),
    [
        # Where flytepropeller keeps what tasks are given and return.
        ("s3:GetObject", "Metadata", "metadata/propeller/{project}-{domain}-f3a9/n0/data/inputs.pb"),
        ("s3:PutObject", "Metadata", "metadata/propeller/{project}-{domain}-f3a9/n0/data/0/outputs.pb"),
        # Where flyteadmin puts the code that `pyflyte run` uploads.
        ("s3:GetObject", "Metadata", "{project}/{domain}/7QPZ3EZWQ2TZ4WYX=/script_mode.tar.gz"),
        # Where flytepropeller tells tasks to put files and data frames.
        ("s3:PutObject", "RawData", "k7/f3a9-n0-0/0a1b2c/data.parquet"),
        ("s3:GetObject", "RawData", "k7/f3a9-n0-0/0a1b2c/data.parquet"),
        ("s3:GetObject", "BatchInput", "{project}/{domain}/data.csv"),
        ("s3:PutObject", "BatchOutput", "{project}/{domain}/model.joblib"),
    ],
)
def test_a_project_reads_and_writes_where_flyte_and_batch_want_it_to(
    one_project: tuple[list[Statement], str, str], action: str, bucket: str, path: str
) -> None:
    allowed, project, domain = one_project
    arn = bucket_of(allowed, bucket)
    assert may(allowed, action, f"{arn}/{path.format(project=project, domain=domain)}")


@pytest.mark.parametrize(
    ("action", "bucket", "path"),
    [
        ("s3:GetObject", "Metadata", "metadata/propeller/other-{domain}-f3a9/n0/data/inputs.pb"),
        ("s3:GetObject", "Metadata", "other/{domain}/7QPZ3EZWQ2TZ4WYX=/script_mode.tar.gz"),
        ("s3:PutObject", "Metadata", "{project}/{domain}/7QPZ3EZWQ2TZ4WYX=/script_mode.tar.gz"),
        ("s3:GetObject", "BatchInput", "other/{domain}/data.csv"),
        ("s3:PutObject", "BatchInput", "{project}/{domain}/data.csv"),
        ("s3:GetObject", "BatchOutput", "other/{domain}/model.joblib"),
        ("s3:PutObject", "BatchOutput", "{project}/other/model.joblib"),
    ],
)
def test_a_project_does_not_reach_what_is_anothers(
    one_project: tuple[list[Statement], str, str], action: str, bucket: str, path: str
) -> None:
    allowed, project, domain = one_project
    arn = bucket_of(allowed, bucket)
    assert not may(allowed, action, f"{arn}/{path.format(project=project, domain=domain)}")


def test_no_project_touches_mlflows_artifacts(identity: TemplateJson) -> None:
    for statement in statements(identity, "Projects"):
        assert not any("MlflowArtifacts" in resource for resource in statement.resources)


def test_flyte_hands_jobs_the_projects_roles_and_no_others(identity: TemplateJson) -> None:
    (statement,) = [one for one in rights(identity, "Flytepropeller") if "iam:PassRole" in one.actions]
    projects = {key for key, role in properties(identity, "AWS::IAM::Role").items() if "RoleName" in role}
    assert set(statement.resources) == {f"${{{role}.Arn}}" for role in projects}
    assert statement.conditions == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_flyte_may_call_what_its_batch_plugin_calls(identity: TemplateJson) -> None:
    actions = {action for one in rights(identity, "Flytepropeller") for action in one.actions if "batch:" in action}
    assert actions == {
        "batch:DescribeJobs",
        "batch:RegisterJobDefinition",
        "batch:SubmitJob",
        "batch:TagResource",
        "batch:TerminateJob",
    }


@pytest.mark.parametrize(
    ("action", "resource", "possible"),
    [
        ("batch:SubmitJob", "job-queue/{prefix}-jobs", True),
        ("batch:SubmitJob", "job-queue/{prefix}-fargate", False),
        ("batch:SubmitJob", "job-queue/another", False),
        ("batch:SubmitJob", "job-definition/flyte-0a1b2c:1", True),
        # Its jobs run with a role that Flyte may not hand to jobs.
        ("batch:SubmitJob", "job-definition/{prefix}-train-classifier", False),
        ("batch:SubmitJob", "job-definition/{prefix}-train-classifier:1", False),
        ("batch:RegisterJobDefinition", "job-definition/flyte-0a1b2c", True),
        ("batch:TagResource", "job-definition/flyte-0a1b2c:1", True),
        ("batch:TagResource", "job/0a1b2c", True),
        ("batch:TagResource", "job-queue/{prefix}-jobs", False),
        ("batch:TerminateJob", "job/0a1b2c", True),
    ],
)
def test_flyte_submits_its_own_jobs_to_the_platforms_queue(
    identity: TemplateJson, environment: Environment, action: str, resource: str, *, possible: bool
) -> None:
    name = resource.format(prefix=f"aerodrome-{environment.name}")
    arn = f"arn:aws:batch:{environment.region}:{environment.account}:{name}"
    assert may(rights(identity, "Flytepropeller"), action, arn) is possible


def test_the_queue_and_the_definition_that_flytes_rights_name_are_those_of_batch(
    identity: TemplateJson, stacks: Mapping[str, TemplateJson]
) -> None:
    submitting = [one for one in rights(identity, "Flytepropeller") if "batch:SubmitJob" in one.actions]
    named = {True: set[str](), False: set[str]()}
    for one in submitting:
        named[one.allows].update(arn.rpartition(":")[2] for arn in one.resources)
    queues = {queue["JobQueueName"] for queue in properties(stacks["Batch"], "AWS::Batch::JobQueue").values()}
    (queue,) = named[True] - {"job-definition/*"}
    assert queue.removeprefix("job-queue/") in queues
    definition = only(stacks["Batch"], "AWS::Batch::JobDefinition")["JobDefinitionName"]
    assert named[False] == {f"job-definition/{definition}*"}


def test_grafana_only_looks(identity: TemplateJson) -> None:
    actions = [action.partition(":")[2] for one in rights(identity, "Grafana") for action in one.actions]
    assert all(action.startswith(("Describe", "Get", "List")) for action in actions)


def test_external_secrets_reads_this_environments_secrets_only(
    identity: TemplateJson, environment: Environment
) -> None:
    (reading,) = [one for one in rights(identity, "ExternalSecrets") if "secretsmanager:GetSecretValue" in one.actions]
    assert reading.conditions == {
        "StringEquals": {"secretsmanager:ResourceTag/aerodrome:environment": environment.name}
    }


def test_external_secrets_decrypts_secrets_and_nothing_else(identity: TemplateJson) -> None:
    decrypting = [one for one in rights(identity, "ExternalSecrets") if "kms:Decrypt" in one.actions]
    assert ["keys:ExportsOutputFnGetAttSecrets" in text(arn) for one in decrypting for arn in one.resources] == [True]


def with_projects(*names: str) -> Environment:
    """An environment with projects that its own rules need not like."""
    environment = load_environment("dev", ROOT / "environments")
    projects = tuple(environment.projects[0].model_copy(update={"name": name}) for name in names)
    return environment.model_copy(update={"projects": projects})


def test_fails_with_the_arithmetic_if_a_roles_name_is_longer_than_iam_allows() -> None:
    name = "a" * 45
    role = f"aerodrome-dev-{name}-development"
    with pytest.raises(ValueError, match="IAM allows 64") as raised:
        build_platform(new_app(), with_projects(name))
    assert f"would be called {role}: {len(role)} characters" in str(raised.value)
    assert f"choose a project name that is {len(role) - 64} shorter" in str(raised.value)


def test_the_longest_name_that_iam_allows_is_taken() -> None:
    build_platform(new_app(), with_projects("a" * (64 - len("aerodrome-dev--development"))))


def test_projects_whose_names_are_alike_are_still_two() -> None:
    build_platform(new_app(), with_projects("a-1", "a1"))
