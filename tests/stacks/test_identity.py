"""Who can take which role, and what the platform's own components may do with theirs."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from aerodrome_constructs.identity import ServiceAccount
from aerodrome_stacks import service_accounts
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.platform import build_platform
from tests.iam.account import Account, Resource, statements_of
from tests.iam.evaluator import Document, allowed_actions, listed
from tests.templates import ROOT, TemplateJson, new_app, properties

ACCOUNTS = [account for account in vars(service_accounts).values() if isinstance(account, ServiceAccount)]
ROLE_ARN = "eks.amazonaws.com/role-arn"
WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"
READ, WRITE, DELETE = "s3:GetObject", "s3:PutObject", "s3:DeleteObject"


def trust_of(role: Resource) -> list[Document]:
    return statements_of(role.properties["AssumeRolePolicyDocument"])


def web_identities(account: Account) -> dict[str, Document]:
    """The statements that let a token's holder take a role, by the role's ARN, in all stacks."""
    return {
        role.arn: statement
        for role in account.of_type("AWS::IAM::Role")
        for statement in trust_of(role)
        if WEB_IDENTITY in listed(statement["Action"])
    }


def subject_of(statement: Document) -> str:
    """The service account that a statement is about."""
    (subject,) = [value for key, value in statement["Condition"]["StringEquals"].items() if key.endswith(":sub")]
    return str(subject)


def test_every_role_for_a_token_wants_one_of_the_clusters_and_for_aws(account: Account) -> None:
    found = web_identities(account)
    assert len(found) > len(ACCOUNTS)
    for statement in found.values():
        (provider,) = listed(statement["Principal"]["Federated"])
        issuer = provider.partition(":oidc-provider/")[2]
        assert issuer.startswith("oidc.eks.")
        assert set(statement["Condition"]) == {"StringEquals"}
        assert statement["Condition"]["StringEquals"] == {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": subject_of(statement),
        }


def test_every_service_account_has_one_role_and_every_role_one_service_account(
    account: Account, environment: Environment
) -> None:
    subjects = sorted(map(subject_of, web_identities(account).values()))
    # Prometheus has one to write elsewhere, and needs none otherwise.
    without = set() if environment.monitoring.remote_write else {service_accounts.PROMETHEUS}
    projects = [
        ServiceAccount(f"{project.name}-{domain}", "default")
        for project in environment.projects
        for domain in project.domains
    ]
    assert subjects == sorted(one.subject for one in [*(set(ACCOUNTS) - without), *projects])


def releases(account: Account) -> Iterator[tuple[str, Any]]:
    """The namespace and the values of every Helm release."""
    for resource in account.of_type("Custom::AWSCDK-EKS-HelmChart"):
        yield resource.properties["Namespace"], json.loads(resource.properties["Values"])


def annotated(values: Any) -> Iterator[tuple[str | None, str]]:  # noqa: ANN401 - any JSON value
    """Service accounts that values give a role: their name, where the values say it, and the role's ARN."""
    if isinstance(values, Mapping):
        for key in ("annotations", "serviceAccountAnnotations"):
            annotations = values.get(key)
            if isinstance(annotations, Mapping) and ROLE_ARN in annotations:
                yield values.get("name"), annotations[ROLE_ARN]
        for value in values.values():
            yield from annotated(value)


def test_each_chart_gives_its_service_account_the_role_that_is_for_it(account: Account) -> None:
    trusted = {arn: subject_of(statement) for arn, statement in web_identities(account).items()}
    given: dict[str, str] = {}
    for namespace, values in releases(account):
        for name, arn in annotated(values):
            _, _, where, who = trusted[arn].split(":")
            assert where == namespace, f"{arn} is for {trusted[arn]}, and the release is in {namespace}"
            assert name in {None, who}, f"{arn} is for {trusted[arn]}, and the chart's account is {name}"
            assert arn not in given, f"{arn} is given to two service accounts"
            given[arn] = trusted[arn]
    add_ons = {
        resource.properties["ServiceAccountRoleArn"]
        for resource in account.of_type("AWS::EKS::Addon")
        if "ServiceAccountRoleArn" in resource.properties
    }
    # Those of projects are found by their names, by what Flyte makes: tests/charts/test_flyte_projects.py.
    projects = {arn for arn, subject in trusted.items() if subject.endswith(":default")}
    assert {*given, *add_ons, *projects} == set(trusted), "every role is given to somebody"


def test_each_project_has_a_role_in_each_of_its_domains(account: Account, environment: Environment) -> None:
    found = web_identities(account)
    named = {
        role.properties["RoleName"]: subject_of(found[role.arn])
        for role in account.of_type("AWS::IAM::Role")
        if role.stack == "Identity" and "RoleName" in role.properties
    }
    assert named == {
        f"aerodrome-{environment.name}-{project.name}-{domain}": ServiceAccount(
            f"{project.name}-{domain}", "default"
        ).subject
        for project in environment.projects
        for domain in project.domains
    }


def test_a_projects_role_says_whose_it_is(account: Account, environment: Environment) -> None:
    roles = [role for role in account.of_type("AWS::IAM::Role") if f":role/aerodrome-{environment.name}-" in role.arn]
    tagged = [
        {one["Key"]: one["Value"] for one in role.properties["Tags"]} for role in roles if role.stack == "Identity"
    ]
    whose = {(tags["aerodrome:project"], tags["aerodrome:domain"]) for tags in tagged}
    assert whose == {(project.name, domain) for project in environment.projects for domain in project.domains}


def test_batch_jobs_of_this_account_can_take_projects_roles_and_no_others(
    account: Account, environment: Environment
) -> None:
    for role in account.of_type("AWS::IAM::Role"):
        if role.stack != "Identity":
            continue
        services = [statement for statement in trust_of(role) if listed(statement["Action"]) == ["sts:AssumeRole"]]
        expected = [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Condition": {"StringEquals": {"aws:SourceAccount": environment.account}},
            }
        ]
        assert services == (expected if "RoleName" in role.properties else [])


@pytest.mark.parametrize(
    ("component", "path", "actions"),
    [
        ("Flyteadmin", "Metadata:metadata/admin/a/b/closure.pb", {READ, WRITE}),
        ("Flyteadmin", "Metadata:metadata/{project}/{domain}/f3a9/inputs", {READ, WRITE}),
        ("Flyteadmin", "Metadata:{project}/{domain}/7QPZ3EZWQ2TZ4WYX=/script_mode.tar.gz", {READ, WRITE}),
        ("Flyteadmin", "Metadata:metadata/propeller/a-b-f3a9/n0/data/0/outputs.pb", {READ}),
        ("Flyteadmin", "Metadata:metadata/datacatalog/a/data.pb", {READ}),
        ("Flyteadmin", "RawData:a/b/k7/f3a9-n0-0/data.parquet", {READ}),
        ("Flyteadmin", "MlflowArtifacts:1/0a1b/artifacts/model.pkl", set()),
        ("Datacatalog", "Metadata:metadata/datacatalog/a/data.pb", {READ, WRITE, DELETE}),
        ("Datacatalog", "Metadata:metadata/propeller/a-b-f3a9/n0/data/0/outputs.pb", set()),
        ("Datacatalog", "RawData:a/b/k7/f3a9-n0-0/data.parquet", set()),
        ("Flytepropeller", "Metadata:metadata/propeller/a-b-f3a9/n0/data/0/outputs.pb", {READ, WRITE}),
        ("Flytepropeller", "Metadata:metadata/admin/a/b/closure.pb", {READ}),
        ("Flytepropeller", "Metadata:{project}/{domain}/7QPZ3EZWQ2TZ4WYX=/script_mode.tar.gz", set()),
        ("Flytepropeller", "RawData:a/b/k7/f3a9-n0-0/data.parquet", set()),
        ("Flytepropeller", "BatchOutput:a/b/model.joblib", set()),
        ("Mlflow", "MlflowArtifacts:1/0a1b/artifacts/model.pkl", {READ, WRITE, DELETE}),
        ("Mlflow", "RawData:a/b/k7/f3a9-n0-0/data.parquet", set()),
        ("Grafana", "Metadata:metadata/admin/a/b/closure.pb", set()),
        ("LoadBalancerController", "Metadata:metadata/admin/a/b/closure.pb", set()),
        ("ExternalSecrets", "Metadata:metadata/admin/a/b/closure.pb", set()),
        ("Karpenter", "Metadata:metadata/admin/a/b/closure.pb", set()),
    ],
)
def test_a_component_has_the_objects_that_it_works_with(
    account: Account, environment: Environment, component: str, path: str, actions: set[str]
) -> None:
    bucket, _, key = path.partition(":")
    project = environment.projects[0]
    arn = f"{account.bucket(bucket)}/{key.format(project=project.name, domain=next(iter(project.domains)))}"
    role = account.role("Identity", component)
    assert {action for action in (READ, WRITE, DELETE) if account.can(role, action, arn)} == actions


@pytest.mark.parametrize("component", ["Flyteadmin", "Flytepropeller"])
def test_who_looks_for_what_may_be_missing_is_told_that_it_is_missing(account: Account, component: str) -> None:
    # S3 answers "not found" only to who may list; to others it says "access denied", which Flyte takes for an error.
    assert account.can(account.role("Identity", component), "s3:ListBucket", account.bucket("Metadata"))


def test_flyte_hands_jobs_the_projects_roles_and_no_others(account: Account) -> None:
    propeller = account.role("Identity", "Flytepropeller")
    handed = {
        (arn, service)
        for arn in account.principals
        for service in ("ecs-tasks.amazonaws.com", "ec2.amazonaws.com", "lambda.amazonaws.com")
        if account.can(propeller, "iam:PassRole", arn, {"iam:PassedToService": service})
    }
    projects = {
        role.arn
        for role in account.of_type("AWS::IAM::Role")
        if role.stack == "Identity" and "RoleName" in role.properties
    }
    assert handed == {(arn, "ecs-tasks.amazonaws.com") for arn in projects}


def test_flyte_may_call_what_its_batch_plugin_calls(account: Account) -> None:
    allowed = allowed_actions(account.role("Identity", "Flytepropeller").policies)
    assert {action for action in allowed if action.startswith("batch:")} == {
        "batch:DescribeJobs",
        "batch:RegisterJobDefinition",
        "batch:SubmitJob",
        "batch:TagResource",
        "batch:TerminateJob",
    }


@pytest.mark.parametrize(
    ("action", "resource", "possible"),
    [
        ("batch:SubmitJob", "job-queue/another", False),
        ("batch:SubmitJob", "job-queue/aerodrome-another-flyte-production-spot", False),
        ("batch:SubmitJob", "job-definition/flyte-0a1b2c:1", True),
        ("batch:SubmitJob", "job/0a1b2c", True),
        # Its jobs run with a role that Flyte may not hand to jobs.
        ("batch:SubmitJob", "job-definition/{prefix}-train-classifier", False),
        ("batch:SubmitJob", "job-definition/{prefix}-train-classifier:1", False),
        ("batch:SubmitJob", "job-definition/aerodrome-another-train-classifier:1", False),
        ("batch:RegisterJobDefinition", "job-definition/flyte-0a1b2c", True),
        # The plugin names a definition after the image: the next job of that name would be of a team's own image.
        ("batch:RegisterJobDefinition", "job-definition/{prefix}-train-classifier", False),
        ("batch:TagResource", "job-definition/flyte-0a1b2c:1", False),
        ("batch:TagResource", "job/0a1b2c", True),
        ("batch:TagResource", "job-queue/{prefix}-flyte-development-spot", False),
        ("batch:TerminateJob", "job/0a1b2c", True),
    ],
)
def test_flyte_submits_its_own_jobs_to_its_own_queues(
    account: Account, environment: Environment, action: str, resource: str, *, possible: bool
) -> None:
    name = resource.format(prefix=f"aerodrome-{environment.name}")
    arn = f"arn:aws:batch:{environment.region}:{environment.account}:{name}"
    assert account.can(account.role("Identity", "Flytepropeller"), action, arn) is possible


@pytest.mark.parametrize(("privileged", "possible"), [("true", False), ("false", True)])
def test_a_job_of_flytes_is_not_root_on_its_instance(
    account: Account, environment: Environment, privileged: str, *, possible: bool
) -> None:
    arn = f"arn:aws:batch:{environment.region}:{environment.account}:job-definition/flyte-0a1b2c"
    propeller, context = account.role("Identity", "Flytepropeller"), {"batch:Privileged": privileged}
    assert account.can(propeller, "batch:RegisterJobDefinition", arn, context) is possible


def test_flyte_submits_to_its_own_queues_and_to_nobody_elses(
    account: Account, environment: Environment, stacks: Mapping[str, TemplateJson]
) -> None:
    queues = {queue["JobQueueName"] for queue in properties(stacks["Batch"], "AWS::Batch::JobQueue").values()}
    propeller = account.role("Identity", "Flytepropeller")
    batch = f"arn:aws:batch:{account.region}:{account.number}"
    submitted = {queue for queue in queues if account.can(propeller, "batch:SubmitJob", f"{batch}:job-queue/{queue}")}
    flytes = {name for name in queues if name.startswith(f"aerodrome-{environment.name}-flyte-")}
    assert flytes
    assert flytes < queues
    assert submitted == flytes


def test_flyte_submits_no_job_of_the_platforms_own(account: Account) -> None:
    propeller = account.role("Identity", "Flytepropeller")
    for definition in account.of_type("AWS::Batch::JobDefinition"):
        name = definition.properties["JobDefinitionName"]
        arn = f"arn:aws:batch:{account.region}:{account.number}:job-definition/{name}:1"
        assert not account.can(propeller, "batch:SubmitJob", arn), name


def test_grafana_only_looks(account: Account) -> None:
    allowed = allowed_actions(account.role("Identity", "Grafana").policies)
    assert all(action.partition(":")[2].startswith(("Describe", "Get", "List")) for action in allowed)


def test_external_secrets_decrypts_secrets_and_nothing_else(account: Account) -> None:
    role = account.role("Identity", "ExternalSecrets")
    via = {"kms:ViaService": f"secretsmanager.{account.region}.amazonaws.com"}
    keys = {key.logical_id: key.arn for key in account.of_type("AWS::KMS::Key") if key.stack == "Keys"}
    usable = {name for name, arn in keys.items() if account.can(role, "kms:Decrypt", arn, via)}
    assert [name.startswith("Secrets") for name in usable] == [True]
    assert not any(account.can(role, "kms:Decrypt", arn) for arn in keys.values()), "only through Secrets Manager"


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
