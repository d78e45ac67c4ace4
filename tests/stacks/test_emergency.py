import json
from collections.abc import Mapping

import aws_cdk as cdk
import pytest

from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.platform import build_platform
from tests.stacks.conftest import StackArtifact
from tests.templates import ROOT, TemplateJson, new_app, only, statements, synthesized, text, trust


@pytest.fixture(scope="module")
def on_call() -> Environment:
    """An environment in another region than the billing services', whose name nothing else carries."""
    environment = load_environment("dev", ROOT / "environments")
    roles = tuple(f"arn:aws:iam::{environment.account}:role/{name}" for name in ("OnCall", "PlatformLead"))
    access = environment.access.model_copy(update={"break_glass": roles})
    return environment.model_copy(update={"name": "sandbox", "region": "eu-west-1", "access": access})


@pytest.fixture(scope="module")
def emergency(on_call: Environment) -> TemplateJson:
    app = new_app()
    build_platform(app, on_call)
    return synthesized(cdk.Stack.of(app.node.find_child("Emergency")))


def test_there_is_one_where_somebody_may_break_the_glass(
    artifacts: Mapping[str, StackArtifact], environment: Environment
) -> None:
    assert ("Emergency" in artifacts) is bool(environment.access.break_glass)


def test_prod_has_one() -> None:
    assert load_environment("prod", ROOT / "environments").access.break_glass


def test_the_role_has_a_name_that_can_be_written_down_and_trusts_who_is_named(
    emergency: TemplateJson, on_call: Environment
) -> None:
    role = only(emergency, "AWS::IAM::Role")
    assert role["RoleName"] == "aerodrome-sandbox-break-glass"
    (statement,) = trust(role)
    assert tuple(statement.principals) == on_call.access.break_glass
    assert statement.conditions["StringEquals"] == {"aws:RequestedRegion": "eu-west-1"}


def test_the_role_acts_on_this_environment_alone(emergency: TemplateJson) -> None:
    acting = [one for one in statements(emergency, "Rights") if one.allows and "ec2:TerminateInstances" in one.actions]
    (statement,) = acting
    assert statement.conditions["StringEquals"]["aws:ResourceTag/aerodrome:environment"] == "sandbox"


def test_the_role_administers_the_cluster(emergency: TemplateJson) -> None:
    entry = only(emergency, "AWS::EKS::AccessEntry")
    assert "Kubernetes" in text(entry["ClusterName"])
    assert text(entry["PrincipalArn"]).startswith("${BreakGlass")
    assert json.loads(text(entry["AccessPolicies"])) == [
        {
            "AccessScope": {"Type": "cluster"},
            "PolicyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        }
    ]


def test_those_in_alerts_are_told(emergency: TemplateJson) -> None:
    (target,) = only(emergency, "AWS::Events::Rule")["Targets"]
    (action,) = only(emergency, "AWS::CloudWatch::Alarm")["AlarmActions"]
    assert text(target["Arn"]) == text(action)
    assert "aerodrome-sandbox-alerts" in text(action)
