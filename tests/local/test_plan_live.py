"""``aerodrome plan --live``: against stacks that are deployed to the embedded AWS, by its change sets."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from aerodrome.plan import command
from aerodrome.project import Project
from aerodrome_local.cloudformation import StackOperation, delete_stack
from aerodrome_local.testing import EmbeddedAws
from tests.cli.plan.projects import PlanProject, Stacks, resource

# Not the account that dev is deployed to in this session.
ACCOUNT = "222233334444"
STORAGE, BATCH = "aerodrome-dev-storage", "aerodrome-dev-batch"
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
BUCKETS = f"cdk-hnb659fds-assets-{ACCOUNT}-us-east-1"

Deploy = Callable[[str, dict[str, Any]], None]


def bucket(name: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    policies = {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Retain"}
    return resource("AWS::S3::Bucket", "Storage/RawData/Resource", BucketName=name, **policies, **properties)


def log_group(days: int) -> dict[str, Any]:
    return resource("AWS::Logs::LogGroup", "Batch/Logs/Resource", LogGroupName="/plan/batch", RetentionInDays=days)


def repository(name: str) -> dict[str, Any]:
    kept = {"UpdateReplacePolicy": "Retain"}
    return resource("AWS::ECR::Repository", "Storage/Images/Resource", RepositoryName=name, **kept)


def role(description: str) -> dict[str, Any]:
    trust = {"AssumeRolePolicyDocument": TRUST}
    return resource("AWS::IAM::Role", "Batch/Role/Resource", RoleName="plan-role", Description=description, **trust)


def app(storage: dict[str, Any], batch: dict[str, Any]) -> Stacks:
    """Two stacks, by their resources."""
    return {"Storage": {"template": {"Resources": storage}}, "Batch": {"template": {"Resources": batch}}}


@pytest.fixture
def project(embedded_aws: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlanProject:
    """A project whose credentials are those of dev, in the embedded AWS."""
    monkeypatch.setattr(command, "PROJECT", Project(root=tmp_path))
    monkeypatch.chdir(tmp_path)
    for variable, value in {
        "AWS_ENDPOINT_URL": embedded_aws.endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": "80",
    }.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    made = PlanProject(tmp_path)
    for file in (tmp_path / "environments" / "dev.yaml", tmp_path / "app.py"):
        file.write_text(file.read_text("utf-8").replace(embedded_aws.account, ACCOUNT), "utf-8")
    return made


@pytest.fixture
def deploy(embedded_aws: EmbeddedAws) -> Iterator[Deploy]:
    """Deploys a stack, which is deleted after the test."""
    client, names = embedded_aws.client("cloudformation", ACCOUNT), set[str]()

    def deploy(name: str, resources: dict[str, Any]) -> None:
        names.add(name)
        operation = StackOperation(client, name)
        operation.start({"TemplateBody": json.dumps({"Resources": resources})})
        operation.wait(60)

    yield deploy
    for name in names:
        delete_stack(client, name)


def changes(result: Result) -> dict[str, dict[str, Any]]:
    """The changes of a plan in JSON, by resource."""
    return {change["resource"]: change for change in json.loads(result.stdout)["changes"]}


def test_nothing_is_deployed_and_nothing_is_left_behind(project: PlanProject, embedded_aws: EmbeddedAws) -> None:
    project.write(app({"Bucket": bucket("plan-raw")}, {"Logs": log_group(30)}))

    result = project.plan("--live", "--json")

    assert result.exit_code == 0
    assert {name: change["verdict"] for name, change in changes(result).items()} == {
        "Storage/RawData": "added",
        "Batch/Logs": "added",
    }
    assert [
        stack
        for stack in embedded_aws.client("cloudformation", ACCOUNT).describe_stacks()["Stacks"]
        if "dev-" in stack["StackName"]
    ] == []


def test_what_is_deployed_already_does_not_change(
    project: PlanProject, deploy: Deploy, embedded_aws: EmbeddedAws
) -> None:
    deploy(STORAGE, {"Bucket": bucket("plan-raw")})
    deploy(BATCH, {"Logs": log_group(30)})
    project.write(
        app({"Bucket": bucket("plan-raw")}, {"Logs": {**log_group(30), "Metadata": {"aws:cdk:path": "Moved"}}})
    )

    result = project.plan("--live")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == ["dev: this work tree against what is deployed", "Nothing would change."]
    left = embedded_aws.client("cloudformation", ACCOUNT).list_change_sets(StackName=STORAGE)["Summaries"]
    assert left == []


def test_the_verdicts_are_those_of_the_change_sets(
    project: PlanProject, deploy: Deploy, embedded_aws: EmbeddedAws
) -> None:
    deploy(STORAGE, {"Images": repository("plan-one")})
    deploy(BATCH, {"Role": role("one"), "Queue": resource("AWS::SQS::Queue")})
    project.write(
        app({"Images": repository("plan-other")}, {"Role": role("two"), "Topic": resource("AWS::SNS::Topic")})
    )

    result = project.plan("--live", "--json")

    assert result.exit_code == 3
    found = changes(result)
    assert {name: (change["verdict"], change["old"]) for name, change in found.items()} == {
        "Batch/Queue": ("deleted", "deleted"),
        "Storage/Images": ("replaced", "kept, no longer managed"),
        "Batch/Role": ("in place", None),
        "Batch/Topic": ("added", None),
    }
    (name,) = found["Storage/Images"]["properties"]
    assert (name["path"], name["before"], name["after"]) == ("RepositoryName", "plan-one", "plan-other")
    document = json.loads(result.stdout)
    assert (document["against"], document["stopped"], document["warnings"]) == (
        "deployed",
        ["Batch/Queue", "Storage/Images"],
        [],
    )
    # A plan changes nothing.
    repositories = embedded_aws.client("ecr", ACCOUNT).describe_repositories()["repositories"]
    assert [one["repositoryName"] for one in repositories] == ["plan-one"]


def test_where_a_change_set_leaves_it_open_the_schemas_say_and_it_is_said(project: PlanProject, deploy: Deploy) -> None:
    deploy(STORAGE, {"Bucket": bucket("plan-raw")})
    deploy(BATCH, {"Logs": log_group(30)})
    project.write(app({"Bucket": bucket("plan-other")}, {"Logs": log_group(90)}))

    result = project.plan("--live", "--json")

    assert {name: change["verdict"] for name, change in changes(result).items()} == {
        "Storage/RawData": "replaced",
        "Batch/Logs": "in place",
    }
    assert json.loads(result.stdout)["warnings"] == [
        f"CloudFormation's change set of {stack} leaves open what happens to {name}: the verdicts of what it leaves "
        "open are from the schemas"
        for stack, name in ((STORAGE, "Storage/RawData"), (BATCH, "Batch/Logs"))
    ]


def test_a_user_of_what_is_updated_in_place_is_not_called_replaced(project: PlanProject, deploy: Deploy) -> None:
    # CloudFormation calls the replacement of the second conditional: an attribute of the first may change, or not.
    user = {
        **role("user"),
        "Properties": {**role("user")["Properties"], "RoleName": {"Fn::GetAtt": ["Role", "RoleId"]}},
    }
    user["Metadata"] = {"aws:cdk:path": "Batch/User/Resource"}
    deploy(BATCH, {"Role": role("one"), "User": user})
    project.write(app({}, {"Role": role("two"), "User": user}))

    result = project.plan("--live", "--json")

    assert {name: change["verdict"] for name, change in changes(result).items()} == {"Batch/Role": "in place"}


def test_a_stack_that_the_app_no_longer_has(project: PlanProject, deploy: Deploy) -> None:
    old = resource("AWS::S3::Bucket", "Old/Bucket/Resource", BucketName="plan-old")
    other = resource("AWS::S3::Bucket", "Other/Bucket/Resource", BucketName="plan-dev-eu")
    deploy("aerodrome-dev-old", {"Bucket": old})
    deploy("aerodrome-dev-eu-storage", {"Bucket": other})
    (project.root / "environments" / "dev-eu.yaml").write_text("", encoding="utf-8")
    project.write(app({}, {"Logs": log_group(30)}))

    result = project.plan("--live", "--json")

    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert document["stopped"] == ["Old/Bucket"]
    assert [warning for warning in document["warnings"] if "aerodrome-dev-old is no longer in the app" in warning]
    assert "dev-eu" not in result.stdout


def test_where_cloudformation_refuses_a_change_set_the_schemas_say_and_it_is_said(
    project: PlanProject, deploy: Deploy
) -> None:
    deploy(BATCH, {"Logs": log_group(30)})
    stacks = app({}, {"Logs": log_group(90), "Queue": resource("AWS::SQS::Queue")})
    stacks["Batch"]["template"]["Parameters"] = {"Wanted": {"Type": "String"}}
    project.write(stacks)

    result = project.plan("--live", "--json")

    assert result.exit_code == 0
    assert {name: change["verdict"] for name, change in changes(result).items()} == {
        "Batch/Logs": "in place",
        "Batch/Queue": "added",
    }
    (warning,) = json.loads(result.stdout)["warnings"]
    assert warning.startswith(
        f"CloudFormation makes no change set of {BATCH}, so its verdicts are those of the schemas: "
    )
    assert "Wanted" in warning


def test_a_long_template_goes_through_the_buckets_of_the_cdk(
    project: PlanProject, deploy: Deploy, embedded_aws: EmbeddedAws
) -> None:
    s3 = embedded_aws.client("s3", ACCOUNT)
    s3.create_bucket(Bucket=BUCKETS)
    deploy(BATCH, {"Role": role("one")})
    long = {f"Queue{number}": resource("AWS::SQS::Queue", QueueName="q" * 70 + str(number)) for number in range(450)}
    project.write(app({}, {"Role": role("two"), **long}))
    (project.root / "app.py").write_text(
        (project.root / "app.py")
        .read_text("utf-8")
        .replace(
            '"terminationProtection"',
            f'"stackTemplateAssetObjectUrl": "s3://{BUCKETS}/x.json", "terminationProtection"',
        ),
        "utf-8",
    )

    result = project.plan("--live", "--json")

    document = json.loads(result.stdout)
    assert (document["warnings"], document["counts"]["added"], document["counts"]["in place"]) == ([], 450, 1)
    assert s3.list_objects_v2(Bucket=BUCKETS).get("Contents", []) == []
    s3.delete_bucket(Bucket=BUCKETS)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"AWS_ACCESS_KEY_ID": "999988887777"},
            f"the credentials are those of account 999988887777, and dev is in {ACCOUNT}",
        ),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, f"AWS does not answer for account {ACCOUNT} in us-east-1: "),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "Unable to locate credentials"),
    ],
)
def test_trouble_with_the_account_ends_with_status_2(
    project: PlanProject, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    project.write(app({}, {"Logs": log_group(30)}))
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)

    result = project.plan("--live")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("aerodrome plan: --live: ")
    assert said in result.stderr
