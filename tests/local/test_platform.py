"""The platform itself on the embedded AWS: it deploys, nothing of it is lost in silence, and every type has a test."""

import ast
import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aerodrome_local.assembly import read_assembly
from aerodrome_local.cloudformation import DeployError
from aerodrome_local.deploy import deploy_assembly
from aerodrome_local.testing import EmbeddedAws, run_command
from tests.iam.evaluator import Principal, Request, is_allowed
from tests.local.account import Account

HERE = Path(__file__).parent
# The app's own Lambda function answers it, so only the platform's deploy can test it: the clients' login does.
OF_THE_APP = {"Custom::AerodromeDatabases"}


@pytest.fixture(params=["dev", "prod"])
def account(request: pytest.FixtureRequest) -> Account:
    """Each environment that is deployed."""
    account: Account = request.getfixturevalue(request.param)
    return account


def resources(account: Account) -> Iterator[tuple[str, dict[str, Any]]]:
    for stack in read_assembly(account.assembly):
        for resource in json.loads(stack.template_file.read_text())["Resources"].values():
            yield resource["Type"], resource


def test_every_stack_stands_and_stays(account: Account) -> None:
    assert {result.status for result in account.stacks.values()} == {"CREATE_COMPLETE"}
    assert set(account.stacks) == {stack.name for stack in read_assembly(account.assembly)}
    again = deploy_assembly(account.assembly, account.aws.endpoint)
    assert [name for name, result in again.items() if result.changed] == []


@pytest.mark.usefixtures("dev")
def test_nothing_of_it_listens_beyond_loopback(embedded_aws: EmbeddedAws) -> None:
    status = json.loads(run_command("status", "--json", state_dir=embedded_aws.state_dir).stdout)
    names = {process["name"] for process in status["processes"]}
    assert "postgres" in names, "the database is real, so that its process is looked at, too"
    assert len(status["listening"]) > 1
    assert [address for address in status["listening"] if not address.startswith("127.0.0.1:")] == []


def test_every_chart_is_a_recorded_release(account: Account) -> None:
    charts = [
        resource["Properties"]["Release"]
        for resource_type, resource in resources(account)
        if resource_type == "Custom::AWSCDK-EKS-HelmChart"
    ]
    assert charts, "the platform installs charts"
    releases = account.aws.view("releases")
    recorded = {release["release"]: release for release in releases if release["account"] == account.id}
    assert set(charts) <= set(recorded)
    for name in charts:
        release = recorded[name]
        assert release["revision"] == 1
        # No intrinsic function and no token is left: these are the values that Helm would get.
        assert "Fn::" not in json.dumps(release["values"])
        assert "${Token" not in json.dumps(release["values"])
        assert release["rendered"]["done"] or release["repository"], f"{name} has a local chart and is not rendered"


def test_every_client_of_the_database_can_log_in(account: Account) -> None:
    secrets = account.client("secretsmanager")
    current = {}
    for user, arn in account.logins().items():
        login = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
        with contextlib.closing(account.connect(login)) as connection:
            (current[user],) = connection.run("SELECT current_database()") or []
    assert {"flyteadmin", "datacatalog", "mlflow"} <= set(current)
    assert current["mlflow"] == ["mlflow"]


@pytest.mark.parametrize(
    ("project", "other"), [("fraud-detection", "demand-forecast"), ("demand-forecast", "fraud-detection")]
)
def test_a_projects_role_is_for_its_pods_and_ends_at_its_prefix(dev: Account, project: str, other: str) -> None:
    iam = dev.client("iam")
    name = f"aerodrome-dev-{project}-development"
    role = iam.get_role(RoleName=name)["Role"]
    issuers = [
        provider["Arn"].partition(":oidc-provider/")[2]
        for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    ]
    (pods, _) = role["AssumeRolePolicyDocument"]["Statement"]
    (issuer,) = [one for one in issuers if pods["Principal"]["Federated"].endswith(f":oidc-provider/{one}")]
    assert pods["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": f"system:serviceaccount:{project}-development:default",
        }
    }
    boundary = role["PermissionsBoundary"]["PermissionsBoundaryArn"]
    assert boundary == "arn:aws:iam::111122223333:policy/aerodrome-dev-workload-boundary"
    version = iam.get_policy(PolicyArn=boundary)["Policy"]["DefaultVersionId"]
    principal = Principal(
        arn=role["Arn"],
        policies=iam.get_role_policy(RoleName=name, PolicyName="Rights")["PolicyDocument"]["Statement"],
        boundary=iam.get_policy_version(PolicyArn=boundary, VersionId=version)["PolicyVersion"]["Document"][
            "Statement"
        ],
    )
    raw_data = dev.bucket("RawData")

    def may(action: str, key: str) -> bool:
        context = {"aws:RequestedRegion": "us-east-1"}
        request = Request(action=action, resource=f"arn:aws:s3:::{raw_data}/{key}", context=context)
        return is_allowed(principal, request)

    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert may(action, f"{project}/development/k7/f3a9-n0-0/data.parquet")
        assert not may(action, f"{other}/development/k7/f3a9-n0-0/data.parquet")


def test_every_property_is_read_or_reviewed(embedded_aws: EmbeddedAws, dev: Account, prod: Account) -> None:
    audit = embedded_aws.view("audit")
    assert audit["recording"] is True
    used = {
        f"{resource_type}.{name}"
        for account in (dev, prod)
        for resource_type, resource in resources(account)
        for name in resource.get("Properties", {})
    }
    # The audit is of the whole session: other tests' stacks may use more properties than the platform does.
    dropped = {f"{kind}.{name}" for kind, names in audit["unread"].items() for name in names} & used
    reviewed = {}
    for line in (HERE / "dropped_properties.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, separator, reason = line.partition(": ")
            assert separator, f"no reason given: {line}"
            assert reason, f"no reason given: {line}"
            reviewed[name] = reason
    assert sorted(dropped - set(reviewed)) == [], "the embedded AWS drops these: mend that, or review and list them"
    assert sorted(set(reviewed) - dropped) == [], "these lines of dropped_properties.txt are not needed any more"


def types_in_tests() -> set[str]:
    """The resource types that stand in a template of a test: as the text of a member ``Type`` in a dict."""
    found: set[str] = set()
    for file in HERE.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Dict):
                found.update(
                    value.value
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant) and key.value == "Type"
                    if isinstance(value, ast.Constant) and isinstance(value.value, str) and "::" in value.value
                )
    return found


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_every_type_of_the_platform_has_a_test(environment: str) -> None:
    templates = sorted((HERE.parent / "snapshots" / environment).glob("*.json"))
    assert templates, "the reviewed templates are there"
    used = {resource["Type"] for file in templates for resource in json.loads(file.read_text())["Resources"].values()}
    assert len(used) > 20
    assert sorted(used - types_in_tests() - OF_THE_APP) == [], (
        "the platform uses these types, and no test of the embedded AWS does"
    )


def test_a_failed_stack_says_which_resource_and_why(embedded_aws: EmbeddedAws, tmp_path: Path) -> None:
    write_assembly(
        tmp_path,
        first={"Queue": {"Type": "AWS::SQS::Queue"}},
        second={
            "Provider": {
                "Type": "Custom::AWSCDK-EKS-KubernetesResource",
                "Properties": {"ServiceToken": "-", "ClusterName": "no-such-cluster", "Manifest": "[]"},
            }
        },
        third={"Topic": {"Type": "AWS::SNS::Topic"}},
    )
    with pytest.raises(DeployError) as failure:
        deploy_assembly(tmp_path, embedded_aws.endpoint, account="444455556666")
    assert "second: ROLLBACK_COMPLETE" in str(failure.value)
    assert "Provider (Custom::AWSCDK-EKS-KubernetesResource): there is no cluster 'no-such-cluster'" in str(
        failure.value
    )
    status = embedded_aws.view("status")["accounts"]["444455556666"]["stacks"]
    assert status == {"CDKToolkit": "CREATE_COMPLETE", "first": "CREATE_COMPLETE", "second": "ROLLBACK_COMPLETE"}

    with pytest.raises(DeployError, match="no stack fourth"):
        deploy_assembly(tmp_path, embedded_aws.endpoint, account="444455556666", stacks=["fourth"])
    only = deploy_assembly(tmp_path, embedded_aws.endpoint, account="444455556666", stacks=["first"])
    assert (list(only), only["first"].changed) == (["first"], False)


def test_a_deploy_to_nothing_says_how_to_start_it(tmp_path: Path) -> None:
    write_assembly(tmp_path, only={"Queue": {"Type": "AWS::SQS::Queue"}})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nothing answers there
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(DeployError, match="aerodrome local up"):
            deploy_assembly(tmp_path, endpoint, account="444455556666")


def write_assembly(directory: Path, **stacks: dict[str, Any]) -> None:
    """A cloud assembly in which each stack depends on the one before."""
    artifacts: dict[str, Any] = {}
    for name, template in stacks.items():
        (directory / f"{name}.template.json").write_text(json.dumps({"Resources": template}))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/unknown-region",
            "properties": {"templateFile": f"{name}.template.json"},
            "dependencies": list(artifacts)[-1:],
        }
    (directory / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
