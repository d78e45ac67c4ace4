"""What the connector of AWS Batch may do, worked out from the synthesized policies as AWS works it out."""

from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_stacks.batch_queues import domains, flyte_queue_names, ingest_queue_name, kinds, queue_name
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.environment.flyte import Flyte
from aerodrome_stacks.names import flyte_jobs_role_name
from aerodrome_stacks.platform import build_platform
from pytest_cdk.assembly import Assembly
from pytest_cdk.synth import synthesize
from tests.iam.account import Account, statements_of
from tests.iam.evaluator import Principal, allowed_actions
from tests.stacks.test_job_access import person, request
from tests.stacks.test_jobs import places
from tests.templates import ROOT, TemplateJson, properties

SECRET = "secretsmanager:GetSecretValue"


@pytest.fixture
def connector(account: Account) -> Principal:
    return account.role("Identity", "BatchConnector")


def said(environment: Environment) -> dict[str, str]:
    """The tags that it submits a job with, as far as they count."""
    return {"aws:RequestTag/aerodrome:environment": environment.name}


def batch(environment: Environment, resource: str) -> str:
    name = resource.format(env=environment.name)
    return f"arn:aws:batch:{environment.region}:{environment.account}:{name}"


def test_it_submits_to_peoples_queues_and_no_others(
    connector: Principal, account: Account, environment: Environment, stacks: Mapping[str, TemplateJson]
) -> None:
    made = {queue["JobQueueName"] for queue in properties(stacks["Batch"], "AWS::Batch::JobQueue").values()}
    people = {queue_name(environment, domain, kind) for domain in domains(environment) for kind in kinds(environment)}
    others = {
        *flyte_queue_names(environment),
        *(ingest_queue_name(environment, domain) for domain in domains(environment)),
    }
    assert made == people | others
    for action, context in (("batch:SubmitJob", said(environment)), ("batch:GetJobQueueSnapshot", {})):
        able = {
            name for name in made if account.can(connector, action, batch(environment, f"job-queue/{name}"), context)
        }
        assert able == people, action


@pytest.mark.parametrize(
    ("action", "resource", "possible"),
    [
        (
            "batch:SubmitJob",
            "job-definition/aerodrome-{env}-flyte_fraud-detection-development-0a1b2c3d4e5f6071:1",
            True,
        ),
        ("batch:SubmitJob", "job/0a1b2c", True),
        # Those of people, of Flyte's plugin, and of another environment.
        ("batch:SubmitJob", "job-definition/aerodrome-{env}-fraud-detection-development-train-classifier:1", False),
        ("batch:SubmitJob", "job-definition/aerodrome-{env}-flyte-development-train-classifier:1", False),
        ("batch:SubmitJob", "job-definition/trainer:1", False),
        ("batch:SubmitJob", "job-definition/aerodrome-another-flyte_fraud-detection-development-0a:1", False),
        ("batch:SubmitJob", "job-queue/aerodrome-another-development-spot", False),
        ("batch:RegisterJobDefinition", "job-definition/aerodrome-{env}-flyte_x-development-0a", True),
        ("batch:RegisterJobDefinition", "job-definition/aerodrome-{env}-fraud-detection-development-train", False),
        ("batch:RegisterJobDefinition", "job-definition/trainer", False),
        ("batch:DeregisterJobDefinition", "job-definition/aerodrome-{env}-flyte_x-development-0a:1", False),
        ("batch:TagResource", "job-definition/aerodrome-{env}-flyte_x-development-0a:1", True),
        ("batch:TagResource", "job-definition/aerodrome-{env}-fraud-detection-development-train:1", False),
        ("batch:TagResource", "job/0a1b2c", True),
        ("batch:UpdateJobQueue", "job-queue/aerodrome-{env}-development-spot", False),
    ],
)
def test_its_jobs_are_of_definitions_of_its_own(
    connector: Principal, account: Account, environment: Environment, action: str, resource: str, *, possible: bool
) -> None:
    assert account.can(connector, action, batch(environment, resource), said(environment)) is possible


def test_every_job_that_it_submits_says_whose_environment_it_is(
    connector: Principal, account: Account, environment: Environment
) -> None:
    for context in ({}, {"aws:RequestTag/aerodrome:environment": "another"}):
        for action in ("batch:SubmitJob", "batch:TagResource"):
            assert not account.can(connector, action, batch(environment, "job/0a1b2c"), context)


@pytest.mark.parametrize(("tags", "possible"), [("own", True), ("another", False), (None, False)])
def test_it_ends_jobs_of_its_environment_and_no_others(
    connector: Principal, account: Account, environment: Environment, tags: str | None, *, possible: bool
) -> None:
    value = environment.name if tags == "own" else tags
    carried = {} if value is None else {"aws:ResourceTag/aerodrome:environment": value}
    assert account.can(connector, "batch:TerminateJob", batch(environment, "job/0a1b2c"), carried) is possible
    taken_over = {**said(environment), **carried}
    assert account.can(connector, "batch:TagResource", batch(environment, "job/0a1b2c"), taken_over) is (
        tags != "another"
    )


@pytest.mark.parametrize(("privileged", "possible"), [("true", False), ("false", True)])
def test_a_job_of_its_is_not_root_on_its_instance(
    connector: Principal, account: Account, environment: Environment, privileged: str, *, possible: bool
) -> None:
    arn = batch(environment, "job-definition/aerodrome-{env}-flyte_x-development-0a")
    context = {"batch:Privileged": privileged}
    assert account.can(connector, "batch:RegisterJobDefinition", arn, context) is possible


def test_it_hands_jobs_the_roles_of_projects_and_those_that_start_their_containers(
    connector: Principal, account: Account, environment: Environment
) -> None:
    handed = {
        (arn.rpartition("/")[2], service)
        for arn in account.principals
        for service in ("ecs-tasks.amazonaws.com", "ec2.amazonaws.com", "lambda.amazonaws.com")
        if account.can(connector, "iam:PassRole", arn, {"iam:PassedToService": service})
    }
    names = {f"aerodrome-{environment.name}-{project}-{domain}" for project, domain in places(environment)}
    names |= {flyte_jobs_role_name(environment, project, domain) for project, domain in places(environment)}
    assert handed == {(name, "ecs-tasks.amazonaws.com") for name in names}


def test_it_may_do_what_it_does_and_nothing_else(connector: Principal) -> None:
    assert set(allowed_actions(connector.policies)) == {
        "batch:CancelJob",
        "batch:DescribeJobDefinitions",
        "batch:DescribeJobQueues",
        "batch:DescribeJobs",
        "batch:GetJobQueueSnapshot",
        "batch:ListJobs",
        "batch:RegisterJobDefinition",
        "batch:SubmitJob",
        "batch:TagResource",
        "batch:TerminateJob",
        "ecr:DescribeImages",
        "ecr:DescribePullThroughCacheRules",
        "iam:GetRole",
        "iam:PassRole",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "logs:GetLogEvents",
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "secretsmanager:DescribeSecret",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    }


@pytest.mark.parametrize(
    ("path", "actions"),
    [
        ("Metadata:metadata/propeller/fraud-detection-development-f3a9/n0/data/0/aws-batch/plan.json", {"Get", "Put"}),
        ("Metadata:metadata/admin/launchplan", set()),
        ("Metadata:metadata/datacatalog/x", set()),
        ("Metadata:fraud-detection/development/code.tar.gz", set()),
        # What a container that knows no Flyte has left.
        ("RawData:fraud-detection/development/x", {"Get"}),
        ("BatchOutput:fraud-detection/development/x", set()),
    ],
)
def test_it_keeps_what_it_knows_beside_outputs_and_reads_what_containers_left(
    connector: Principal, account: Account, path: str, actions: set[str]
) -> None:
    bucket, _, key = path.partition(":")
    arn = f"{account.bucket(bucket)}/{key}"
    assert {verb for verb in ("Get", "Put", "Delete") if account.can(connector, f"s3:{verb}Object", arn)} == actions
    # Only who may list is told that an object is missing; others are refused.
    for kept in ("Metadata", "RawData"):
        assert account.can(connector, "s3:ListBucket", account.bucket(kept))


def test_it_sees_that_secrets_are_there_and_not_what_is_in_them(
    connector: Principal, account: Account, environment: Environment
) -> None:
    here = f"arn:aws:secretsmanager:{environment.region}:{environment.account}:secret"
    own = f"{here}:aerodrome/{environment.name}/fraud-detection/development/key-AbCdEf"
    tags = {"secretsmanager:ResourceTag/aerodrome:environment": environment.name}
    assert account.can(connector, "secretsmanager:DescribeSecret", own, tags)
    assert not account.can(connector, "secretsmanager:DescribeSecret", f"{here}:aerodrome/another/x-AbCdEf", tags)
    assert not account.can(connector, SECRET, own, tags)


def test_it_reads_what_jobs_wrote_and_no_other_log(
    connector: Principal, account: Account, environment: Environment
) -> None:
    logs = f"arn:aws:logs:{environment.region}:{environment.account}:log-group:/aerodrome/{environment.name}"
    assert account.can(connector, "logs:GetLogEvents", f"{logs}/jobs/fraud-detection-development:log-stream:x")
    assert not account.can(connector, "logs:GetLogEvents", f"{logs}/kubernetes/flyte:log-stream:x")


def test_people_submit_none_of_its_definitions(account: Account, environment: Environment) -> None:
    for place in places(environment):
        who, own = person(account, environment, place), request(environment, place)
        for project, domain in places(environment):
            name = f"job-definition/aerodrome-{{env}}-flyte_{project}-{domain}-0a1b2c3d4e5f6071"
            assert not account.can(who, "batch:SubmitJob", batch(environment, name), own)


def test_propeller_and_the_cleaner_leave_its_definitions_alone(account: Account, environment: Environment) -> None:
    arn = batch(environment, "job-definition/aerodrome-{env}-flyte_fraud-detection-development-0a1b2c3d4e5f6071")
    propeller, cleaner = account.role("Identity", "Flytepropeller"), account.role("Batch", "CleanerRole")
    for action in ("batch:RegisterJobDefinition", "batch:SubmitJob"):
        assert not account.can(propeller, action, arn, said(environment))
    assert not account.can(cleaner, "batch:DeregisterJobDefinition", f"{arn}:1")


def test_containers_get_their_projects_secrets_and_no_others(account: Account, environment: Environment) -> None:
    here = f"arn:aws:secretsmanager:{environment.region}:{environment.account}:secret:aerodrome/{environment.name}"
    tag = "secretsmanager:ResourceTag/aerodrome"
    for project, domain in places(environment):
        role = account.role("FlyteJobs", f"{project}{domain}".replace("-", ""))
        own = f"{here}/{project}/{domain}/anything-AbCdEf"
        tags = {f"{tag}:environment": environment.name, f"{tag}:project": project}
        assert account.can(role, SECRET, own, tags)
        assert account.can(role, SECRET, own, {**tags, f"{tag}:domain": domain})
        assert not account.can(role, SECRET, own)
        assert not account.can(role, SECRET, own, {**tags, f"{tag}:project": "another"})
        assert not account.can(role, SECRET, own, {**tags, f"{tag}:domain": "another"})
        assert not account.can(role, SECRET, f"{here}/{project}/another/anything-AbCdEf", tags)
        assert not account.can(role, SECRET, f"{here}/oidc-client-secret-AbCdEf", tags)
        repository = f"arn:aws:ecr:{environment.region}:{environment.account}:repository/anything"
        assert account.can(role, "ecr:BatchGetImage", repository)


def test_state_changes_of_its_jobs_are_sent_to_its_queue(
    connector: Principal, account: Account, environment: Environment, stacks: Mapping[str, TemplateJson]
) -> None:
    (rule,) = properties(stacks["FlyteJobs"], "AWS::Events::Rule").values()
    queues = {one["QueueName"]: one for one in properties(stacks["FlyteJobs"], "AWS::SQS::Queue").values()}
    name = f"aerodrome-{environment.name}-flyte-job-changes"
    definitions = batch(environment, "job-definition/aerodrome-{env}-flyte_")

    assert rule["EventPattern"]["detail"] == {
        "jobDefinition": [{"prefix": definitions}],
        "arrayProperties": {"index": [{"exists": False}]},
    }
    assert queues.keys() == {name, f"{name}-unread"}
    assert queues[name]["MessageRetentionPeriod"] == 900
    arn = f"arn:aws:sqs:{environment.region}:{environment.account}"
    assert account.can(connector, "sqs:ReceiveMessage", f"{arn}:{name}")
    assert not account.can(connector, "sqs:ReceiveMessage", f"{arn}:aerodrome-{environment.name}-flyte-emails")


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """An environment with neither the plugin nor the connector."""
    dev = load_environment("dev", ROOT / "environments")
    bare = dev.model_copy(update={"flyte": Flyte(batch_plugin=False)})
    return synthesize(
        lambda app, _: build_platform(app, bare),
        "without",
        cdk_json=ROOT / "cdk.json",
        outdir=tmp_path_factory.mktemp("without"),
        stage_assets=False,
    )


def test_without_the_plugin_propeller_has_no_right_to_aws_batch(without: Assembly) -> None:
    dev = load_environment("dev", ROOT / "environments")
    account = Account(without.stacks, dev.account, dev.region)
    propeller = account.role("Identity", "Flytepropeller")

    actions = set(allowed_actions(propeller.policies))
    assert "s3:GetObject" in actions
    assert not {action for action in actions if action.startswith("batch:") or action == "iam:PassRole"}
    passing: list[Any] = [
        statement
        for policy in account.of_type("AWS::IAM::ManagedPolicy")
        for statement in statements_of(policy.properties["PolicyDocument"])
        if "PassRole" in str(statement["Action"]) and policy.stack == "Identity"
    ]
    assert passing == []
    assert "FlyteJobs" not in without.stacks
    assert not [role for role in account.of_type("AWS::IAM::Role") if role.logical_id.startswith("BatchConnector")]
