"""Amazon ECR: repositories for copies, and rules of the pull-through cache."""

import json
from collections.abc import Iterator
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template as Synthesized
from botocore.exceptions import ClientError

from aerodrome_constructs.registry import MirrorRepositories, PullThroughCaches
from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, Template


@pytest.fixture
def stack(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack named after the test, deleted after it."""
    of_test = embedded_aws.stack(request.node.name)
    yield of_test
    of_test.delete()


@pytest.fixture
def ecr(embedded_aws: EmbeddedAws) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    return embedded_aws.client("ecr")


def resources_of(made: cdk.Stack) -> Template:
    template: Template = Synthesized.from_stack(made).to_json()["Resources"]
    assert template
    return template


def rules(ecr: Any) -> dict[str, str]:  # noqa: ANN401 - boto3 makes the class at run time
    return {
        rule["ecrRepositoryPrefix"]: rule["upstreamRegistryUrl"]
        for rule in ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    }


def test_pull_through_cache_rules(ecr: Any, stack: Stack) -> None:  # noqa: ANN401 - boto3 makes the class at run time
    def caches(**prefixes: str) -> Template:
        made = cdk.Stack()
        PullThroughCaches(made, "Caches", prefixes={f"{host}.io": prefix for host, prefix in prefixes.items()})
        return resources_of(made)

    stack.deploy(caches(quay="aerodrome/dev/quay"))
    assert rules(ecr) == {"aerodrome/dev/quay": "quay.io"}

    stack.deploy(caches(quay="aerodrome/dev/other"))
    assert rules(ecr) == {"aerodrome/dev/other": "quay.io"}

    stack.delete()
    assert rules(ecr) == {}


def test_a_rule_is_found_by_its_prefix_and_one_that_is_not_there_is_refused(
    ecr: Any,  # noqa: ANN401 - boto3 makes the class at run time
    stack: Stack,
) -> None:
    rule = {"EcrRepositoryPrefix": "k8s", "UpstreamRegistryUrl": "registry.k8s.io"}
    stack.deploy({"Rule": {"Type": "AWS::ECR::PullThroughCacheRule", "Properties": rule}})

    (found,) = ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["k8s"])["pullThroughCacheRules"]
    assert (found["upstreamRegistry"], found["upstreamRegistryUrl"]) == ("k8s", "registry.k8s.io")
    with pytest.raises(ClientError, match="PullThroughCacheRuleNotFoundException"):
        ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["other"])
    with pytest.raises(ClientError, match="PullThroughCacheRuleAlreadyExistsException"):
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="k8s", upstreamRegistryUrl="quay.io")


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        pytest.param({"UpstreamRegistryUrl": "ghcr.io"}, "not ghcr.io", id="a registry that wants a password"),
        pytest.param({"CredentialArn": "arn"}, "does not know CredentialArn", id="a password"),
    ],
)
def test_what_the_platform_does_not_use_is_refused(stack: Stack, more: dict[str, str], complaint: str) -> None:
    rule = {"EcrRepositoryPrefix": "cache", "UpstreamRegistryUrl": "quay.io", **more}

    with pytest.raises(DeployError, match=complaint):
        stack.deploy({"Rule": {"Type": "AWS::ECR::PullThroughCacheRule", "Properties": rule}})


def test_repositories_of_a_mirror(ecr: Any, stack: Stack) -> None:  # noqa: ANN401 - boto3 makes the class at run time
    name = "aerodrome/dev/quay.io/prometheus/prometheus"
    made = cdk.Stack()
    MirrorRepositories(made, "Mirror", names=[name])
    stack.deploy(resources_of(made))

    (found,) = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    assert found["encryptionConfiguration"]["encryptionType"] == "KMS"
    policy = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
    assert [rule["selection"]["countNumber"] for rule in policy["rules"]] == [7, 10]

    # What was copied stays when its stack goes.
    stack.delete()
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"] == [found]
    ecr.delete_repository(repositoryName=name, force=True)


def test_a_repository_is_changed_in_place_and_goes_with_its_stack(
    ecr: Any,  # noqa: ANN401 - boto3 makes the class at run time
    stack: Stack,
) -> None:
    def repository(mutability: str, *, scan: bool) -> Template:
        properties = {
            "RepositoryName": "boxes",
            "ImageTagMutability": mutability,
            "ImageScanningConfiguration": {"ScanOnPush": scan},
            "LifecyclePolicy": {"LifecyclePolicyText": json.dumps({"rules": [mutability]})},
        }
        return {"Boxes": {"Type": "AWS::ECR::Repository", "Properties": properties}}

    outputs = {"Name": {"Ref": "Boxes"}, "Uri": {"Fn::GetAtt": ["Boxes", "RepositoryUri"]}}
    made = stack.deploy(repository("MUTABLE", scan=False), outputs)
    changed = stack.deploy(repository("IMMUTABLE", scan=True), outputs)

    assert made == changed
    assert changed["Uri"].endswith("/boxes")
    (found,) = ecr.describe_repositories(repositoryNames=[changed["Name"]])["repositories"]
    assert (found["imageTagMutability"], found["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": True})
    assert json.loads(ecr.get_lifecycle_policy(repositoryName="boxes")["lifecyclePolicyText"]) == {
        "rules": ["IMMUTABLE"]
    }
    stack.delete()
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        ecr.describe_repositories(repositoryNames=["boxes"])
