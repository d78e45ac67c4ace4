"""The reviewed tables: what holds data, what interrupts. They name what there is, and say where it is from."""

from collections.abc import Mapping
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from aerodrome.plan.rules import CHANGING_ATTRIBUTES, RULES
from aerodrome.plan.schemas import resource_schema
from aerodrome.plan.stateful import STATEFUL
from aerodrome_constructs.policy import stateful_types
from pytest_cdk.stateful import STATEFUL_TYPES

REVIEWED = [(resource_type, path) for resource_type, rules in RULES.items() for path in rules]


def properties_of(resource_type: str) -> dict[str, Any]:
    schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    return schema


def has_property(schema: Mapping[str, Any], path: str) -> bool:
    """Whether a schema has a property at a dotted path, through its definitions."""
    node: Mapping[str, Any] = schema
    for name in path.split("."):
        definition = node.get("$ref", "").removeprefix("#/definitions/")
        node = schema["definitions"][definition] if definition else node
        if name not in node.get("properties", {}):
            return False
        node = node["properties"][name]
    return True


def test_the_logical_ids_of_every_type_with_data_are_kept_under_review() -> None:
    assert STATEFUL.keys() == STATEFUL_TYPES


def test_every_type_with_data_outlives_its_stack_but_queues() -> None:
    """A queue whose stack is gone has nobody who reads it."""
    assert stateful_types.STATEFUL_TYPES - STATEFUL.keys() == set()
    assert STATEFUL.keys() - stateful_types.STATEFUL_TYPES == {"AWS::SQS::Queue"}


def test_every_type_in_a_table_exists() -> None:
    named = {*STATEFUL, *RULES, *CHANGING_ATTRIBUTES}
    assert [name for name in sorted(named) if resource_schema(name, "us-east-1") is None] == []


@pytest.mark.parametrize(("resource_type", "path"), REVIEWED)
def test_every_rule_is_for_a_property_that_exists_and_has_a_reason_and_a_page(resource_type: str, path: str) -> None:
    rule = RULES[resource_type][path]

    assert has_property(properties_of(resource_type), path)
    assert rule.why
    assert rule.page.startswith("https://docs.aws.amazon.com/")


def test_no_rule_is_for_a_property_that_the_schema_replaces_anyway() -> None:
    """Such a rule would be read, believed, and never used."""
    useless = []
    for resource_type, path in REVIEWED:
        schema = resource_schema(resource_type, "us-east-1")
        assert schema is not None
        useless += [path for pattern in schema.create_only if ".".join(pattern) == path]
    assert useless == []


def test_attributes_that_change_with_every_update_are_those_that_the_service_gives() -> None:
    assert CHANGING_ATTRIBUTES
    for resource_type, attributes in CHANGING_ATTRIBUTES.items():
        given = {pointer.removeprefix("/properties/") for pointer in properties_of(resource_type)["readOnlyProperties"]}
        assert attributes - {""} <= given


def test_custom_resources_and_private_types() -> None:
    custom = resource_schema("Custom::AWSCDK-EKS-HelmChart", "us-east-1")
    assert custom is not None
    assert custom.create_only == (("ServiceToken",),)
    assert custom.updatable
    assert resource_schema("Bank::Storage::Vault", "us-east-1") is None


def test_a_region_that_cfn_lint_does_not_know_has_the_types_of_another() -> None:
    assert resource_schema("AWS::S3::Bucket", "moon-north-1") == resource_schema("AWS::S3::Bucket", "us-east-1")
