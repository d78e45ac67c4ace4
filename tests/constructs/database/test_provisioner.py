import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest

from aerodrome_constructs.database import DatabaseUser
from aerodrome_constructs.database.lambda_asset import CA_BUNDLE
from tests.constructs.database.databases import USERS, databases_in
from tests.templates import REGION, TemplateJson, new_stack, only, resources, statements, synthesized, text, with_id


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    databases_in(stack, USERS)
    return synthesized(stack)


def custom_resource(template: TemplateJson) -> Mapping[str, Any]:
    return only(template, "Custom::AerodromeDatabases")


def client_secret(template: TemplateJson, client: str) -> tuple[str, Mapping[str, Any]]:
    found = {key: value for key, value in resources(template, "AWS::SecretsManager::Secret").items() if client in key}
    ((name, resource),) = found.items()
    return name, resource


def test_each_client_has_a_retained_secret_that_says_where_its_database_is(template: TemplateJson) -> None:
    (database,) = resources(template, "AWS::RDS::DBInstance")
    for client, user in {"Flyteadmin": USERS["flyteadmin"], "Mlflow": USERS["mlflow"]}.items():
        _, secret = client_secret(template, client)
        assert secret["DeletionPolicy"] == "Retain"
        generate = secret["Properties"]["GenerateSecretString"]
        written = text(generate["SecretStringTemplate"])
        # The port is a number in JSON: it stands there unquoted, as GetAtt gives it.
        fields = json.loads(written.replace(f"${{{database}.Endpoint.Port}}", "5432"))
        assert fields == {
            "engine": "postgres",
            "host": f"${{{database}.Endpoint.Address}}",
            "port": 5432,
            "dbname": user.database,
            "username": user.username,
        }


def test_passwords_are_40_letters_and_digits(template: TemplateJson) -> None:
    for client in ("Flyteadmin", "Mlflow"):
        generate = client_secret(template, client)[1]["Properties"]["GenerateSecretString"]
        assert generate["GenerateStringKey"] == "password"
        assert generate["PasswordLength"] == 40
        assert generate["ExcludePunctuation"] is True
        assert "IncludeSpace" not in generate


def test_the_custom_resource_names_the_instance_and_every_client(template: TemplateJson) -> None:
    (database,) = resources(template, "AWS::RDS::DBInstance")
    resource = custom_resource(template)
    assert text(resource["Host"]) == f"${{{database}.Endpoint.Address}}"
    assert text(resource["Port"]) == f"${{{database}.Endpoint.Port}}"
    assert [(each["Database"], each["Username"], text(each["SecretArn"])) for each in resource["Clients"]] == [
        ("flyteadmin", "flyteadmin", f"${{{client_secret(template, 'Flyteadmin')[0]}}}"),
        ("mlflow_records", "mlflow_server", f"${{{client_secret(template, 'Mlflow')[0]}}}"),
    ]
    assert int(resource["ServiceTimeout"]) < 3600


def test_another_client_changes_the_custom_resource_so_that_a_deploy_runs_it(template: TemplateJson) -> None:
    stack = new_stack()
    databases_in(stack, {**USERS, "datacatalog": DatabaseUser(database="datacatalog", username="datacatalog")})
    assert custom_resource(synthesized(stack))["Clients"] != custom_resource(template)["Clients"]


def test_the_rules_and_the_rights_are_there_before_the_function_runs(template: TemplateJson) -> None:
    (resource,) = resources(template, "Custom::AerodromeDatabases").values()
    first = set(resource["DependsOn"])
    assert set(resources(template, "AWS::EC2::SecurityGroupIngress")) <= first
    assert set(resources(template, "AWS::SecretsManager::SecretTargetAttachment")) <= first
    function_name = text(custom_resource(template)["ServiceToken"]).removeprefix("${").removesuffix(".Arn}")
    function = resources(template, "AWS::Lambda::Function")[function_name]
    assert any("Policy" in name for name in function["DependsOn"])


def test_the_function_may_read_these_secrets_and_nothing_else(template: TemplateJson) -> None:
    rights = {action: statement for statement in statements(template, "DatabasesRole") for action in statement.actions}
    (attachment,) = resources(template, "AWS::SecretsManager::SecretTargetAttachment")
    assert set(rights["secretsmanager:GetSecretValue"].resources) == {
        f"${{{attachment}}}",
        *(f"${{{client_secret(template, client)[0]}}}" for client in ("Flyteadmin", "Mlflow")),
    }
    assert (
        rights["kms:Decrypt"].conditions["StringEquals"]["kms:ViaService"] == f"secretsmanager.{REGION}.amazonaws.com"
    )
    assert "*" not in rights["kms:Decrypt"].resources
    everywhere = {action for action, statement in rights.items() if "*" in statement.resources}
    assert {action.split(":")[0] for action in everywhere} == {"ec2"}
    role = with_id(template, "AWS::IAM::Role", "DatabasesRole")
    assert "ManagedPolicyArns" not in role


def test_the_function_carries_the_group_that_the_instance_lets_in(template: TemplateJson) -> None:
    function = with_id(template, "AWS::Lambda::Function", "DatabasesFunction")
    (group,) = function["VpcConfig"]["SecurityGroupIds"]
    assert group == only(template, "AWS::EC2::SecurityGroupIngress")["SourceSecurityGroupId"]
    subnets = [text(subnet) for subnet in function["VpcConfig"]["SubnetIds"]]
    assert subnets
    assert all("Nodes" in subnet for subnet in subnets)


def test_the_function_is_told_whom_to_trust(template: TemplateJson) -> None:
    function = with_id(template, "AWS::Lambda::Function", "DatabasesFunction")
    assert function["Environment"]["Variables"] == {"PGSSLROOTCERT": f"/var/task/{CA_BUNDLE}"}


def test_the_functions_log_is_encrypted_and_ends(template: TemplateJson) -> None:
    log = with_id(template, "AWS::Logs::LogGroup", "DatabasesLog")
    assert "KmsKeyId" in log
    assert log["RetentionInDays"] == 30
    function = with_id(template, "AWS::Lambda::Function", "DatabasesFunction")
    assert "DatabasesLog" in text(function["LoggingConfig"]["LogGroup"])


def test_keys_of_another_stack_do_not_come_to_need_this_one() -> None:
    app = new_stack().node.root
    assert isinstance(app, cdk.App)
    keys, stack = (cdk.Stack(app, name) for name in ("KeysStack", "DatabaseStack"))
    databases_in(stack, USERS, keys)
    app.synth()  # fails where two stacks need each other
    assert [dependency.node.id for dependency in stack.dependencies] == ["KeysStack"]
    assert keys.dependencies == []
