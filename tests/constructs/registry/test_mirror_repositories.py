import json
from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_constructs.registry import MirrorRepositories
from tests.templates import TemplateJson, new_stack, resources, synthesized

NAMES = ["aerodrome/dev/docker.io/grafana/grafana", "aerodrome/dev/charts/karpenter"]


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    MirrorRepositories(stack, "Mirror", names=NAMES)
    return synthesized(stack)


@pytest.fixture(scope="module")
def rules(template: TemplateJson) -> Mapping[str, Any]:
    """What a repository forgets, by the kind of what it is."""
    found = [one["Properties"] for one in resources(template, "AWS::ECR::Repository").values()]
    policies = {repository["LifecyclePolicy"]["LifecyclePolicyText"] for repository in found}
    (policy,) = [json.loads(text) for text in policies]
    return {rule["selection"]["tagStatus"]: rule for rule in policy["rules"]}


def test_there_is_a_repository_for_each_name(template: TemplateJson) -> None:
    made = resources(template, "AWS::ECR::Repository").values()

    assert sorted(one["Properties"]["RepositoryName"] for one in made) == sorted(NAMES)


def test_a_tag_never_moves_and_what_is_pushed_is_scanned(template: TemplateJson) -> None:
    for repository in resources(template, "AWS::ECR::Repository").values():
        assert repository["Properties"]["ImageTagMutability"] == "IMMUTABLE"
        assert repository["Properties"]["ImageScanningConfiguration"] == {"ScanOnPush": True}


def test_it_is_encrypted_with_a_key_of_kms(template: TemplateJson) -> None:
    for repository in resources(template, "AWS::ECR::Repository").values():
        assert repository["Properties"]["EncryptionConfiguration"] == {"EncryptionType": "KMS"}


def test_images_stay_when_the_stack_goes(template: TemplateJson) -> None:
    # A node that starts meanwhile would find nothing to run.
    for repository in resources(template, "AWS::ECR::Repository").values():
        assert (repository["DeletionPolicy"], repository["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_there_are_versions_to_go_back_to_and_an_end_to_them(rules: Mapping[str, Any]) -> None:
    selection = rules["tagged"]["selection"]

    assert (selection["countType"], selection["countNumber"]) == ("imageCountMoreThan", 10)
    assert selection["tagPatternList"] == ["*"]


def test_what_an_upload_left_behind_goes_after_a_week(rules: Mapping[str, Any]) -> None:
    selection = rules["untagged"]["selection"]

    assert (selection["countType"], selection["countNumber"], selection["countUnit"]) == ("sinceImagePushed", 7, "days")
    # ECR takes them in this order, and no image that a rule before has taken.
    assert rules["untagged"]["rulePriority"] < rules["tagged"]["rulePriority"]
