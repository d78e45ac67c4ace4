import pytest
from aws_cdk import aws_iam as iam

from aerodrome_constructs.registry import PullThroughCaches, let_fill_caches
from tests.templates import TemplateJson, new_stack, only, properties, statements, synthesized

PATTERN = "arn:aws:ecr:eu-west-1:111122223333:repository/aerodrome/dev/quay/*"


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    PullThroughCaches(
        stack, "Caches", prefixes={"quay.io": "aerodrome/dev/quay", "registry.k8s.io": "aerodrome/dev/k8s"}
    )
    roles = [iam.Role(stack, name, assumed_by=iam.ServicePrincipal("ec2.amazonaws.com")) for name in ("One", "Two")]
    let_fill_caches(stack, "FillImageCaches", roles=roles, repositories=[PATTERN])
    return synthesized(stack)


def test_each_registry_has_a_cache_under_its_prefix(template: TemplateJson) -> None:
    rules = properties(template, "AWS::ECR::PullThroughCacheRule").values()

    assert sorted((rule["UpstreamRegistryUrl"], rule["EcrRepositoryPrefix"]) for rule in rules) == [
        ("quay.io", "aerodrome/dev/quay"),
        ("registry.k8s.io", "aerodrome/dev/k8s"),
    ]


def test_no_cache_wants_a_password(template: TemplateJson) -> None:
    rules = properties(template, "AWS::ECR::PullThroughCacheRule").values()

    assert [rule for rule in rules if "CredentialArn" in rule] == []


def test_nodes_fill_the_caches_and_touch_nothing_else(template: TemplateJson) -> None:
    (statement,) = [one for one in statements(template) if "sts:AssumeRole" not in one.actions]

    assert statement.allows
    assert set(statement.actions) == {"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}
    assert statement.resources == [PATTERN]
    assert len(only(template, "AWS::IAM::ManagedPolicy")["Roles"]) == 2
