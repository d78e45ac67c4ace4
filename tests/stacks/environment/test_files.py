"""The three environments of this project, their schema, and in what they differ."""

import json
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import BaseModel

from aerodrome_stacks.environment import Environment, InvalidEnvironmentError, environment_names, load_environment
from aerodrome_stacks.environment.aws import DOCUMENTATION_ACCOUNTS
from aerodrome_stacks.environment.load import validate
from aerodrome_stacks.environment.schema import schema_text

NAMES = ("dev", "prod", "staging")

Document = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def loaded(environments: Path) -> dict[str, Environment]:
    return {name: load_environment(name, environments) for name in NAMES}


@pytest.fixture(scope="module")
def schema(environments: Path) -> jsonschema.Draft202012Validator:
    text = json.loads((environments / "schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(text)
    return jsonschema.Draft202012Validator(text)


def test_these_are_the_environments(environments: Path) -> None:
    assert environment_names(environments) == NAMES


def test_the_schema_is_the_models(environments: Path) -> None:
    assert (environments / "schema.json").read_text("utf-8") == schema_text(), (
        "the model has changed: run python -m aerodrome_stacks.environment.schema"
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_file_names_the_schema_for_editors(environments: Path, name: str) -> None:
    first, _, _ = (environments / f"{name}.yaml").read_text("utf-8").partition("\n")
    assert first == "# yaml-language-server: $schema=schema.json"


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_accepts_each_file(schema: jsonschema.Draft202012Validator, document: Document, name: str) -> None:
    assert [error.message for error in schema.iter_errors(document(name))] == []


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ((), "nmae", "dev"),
        ((), "name", "dev"),  # the file's name says it
        (("network",), "nat_gatways", 1),
        (("network",), "nat_gateways", 4),
        (("network",), "cidr", "10.16.0.0"),
        (("network",), "availability_zones", ["us-east-1a"]),
        (("cluster", "spot_nodes", 0), "max_sise", 1),
        (("cluster", "spot_nodes", 0), "instance_types", ["m7i.metal"]),
        (("projects", 0, "domains"), "developement", {"cpu": 1, "memory_gib": 1}),
        (("projects", 0, "domains", "development"), "cpu", "32"),
        (("retention",), "logs", "30 days"),
        ((), "region", "us-esat-1"),
        ((), "account", 111122223333),
    ],
)
def test_schema_and_model_refuse_the_same(
    schema: jsonschema.Draft202012Validator,
    document: Document,
    place: tuple[str | int, ...],
    key: str,
    value: object,
) -> None:
    wrong = document("dev")
    section: Any = wrong
    for part in place:
        section = section[part]
    section[key] = value
    assert list(schema.iter_errors(wrong))
    with pytest.raises(InvalidEnvironmentError):
        validate("dev", wrong, Path("dev.yaml"))


def models(kind: object, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """Every model below a type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
        seen.add(kind)
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation, seen)
    for part in get_args(kind):
        yield from models(part, seen)


def test_the_schema_lets_nothing_stand_without_a_value() -> None:
    assert '"type": "null"' not in schema_text()


def test_every_section_is_frozen_and_closed_and_every_field_described() -> None:
    sections = list(models(Environment, set()))
    assert len(sections) == 24
    for section in sections:
        assert section.model_config.get("frozen"), section
        assert section.model_config.get("extra") == "forbid", section
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
            assert field.description.endswith("."), f"{section.__name__}.{name}: {field.description}"
            if not field.is_required():
                assert "Left out" in field.description, f"{section.__name__}.{name}: what is the default?"


def test_zones_left_out_are_the_regions(loaded: dict[str, Environment], document: Document) -> None:
    assert "availability_zones" not in document("dev")["network"]
    assert loaded["dev"].network.availability_zones == ("us-east-1a", "us-east-1b", "us-east-1c")
    elsewhere = validate("dev", {**document("dev"), "region": "ap-northeast-1"}, Path("dev.yaml"))
    assert elsewhere.network.availability_zones == ("ap-northeast-1a", "ap-northeast-1c", "ap-northeast-1d")


def test_the_document_is_left_as_it_is(document: Document) -> None:
    given = document("dev")
    validate("dev", given, Path("dev.yaml"))
    assert given == document("dev")


# In what the environments differ in kind. Numbers that differ in size only are compared below; a copy of one file under
# another's name breaks either.
KIND = {
    "dev": {
        "account": "111122223333",
        "network": IPv4Network("10.16.0.0/16"),
        "endpoint": "public",
        "pods": IPv4Network("100.64.0.0/16"),
        "nat_gateways": 1,
        "multi_az": False,
        "sign_in": None,
        "domains": {"development"},
        "domain_name": "ml.dev.example.com",
        "new_passwords": False,
        "backup_lock": "none",
        "backup_copy": None,
        "break_glass": [],
    },
    "staging": {
        "account": "444455556666",
        "network": IPv4Network("10.32.0.0/16"),
        "endpoint": "public",
        "pods": IPv4Network("100.65.0.0/16"),
        "nat_gateways": 1,
        "multi_az": True,
        "sign_in": "aerodrome/staging/oidc-client-secret",
        "domains": {"staging"},
        "domain_name": "ml.staging.example.com",
        "new_passwords": False,
        "backup_lock": "none",
        "backup_copy": None,
        "break_glass": [],
    },
    "prod": {
        "account": "777788889999",
        "network": IPv4Network("10.48.0.0/16"),
        "endpoint": "private",
        "pods": IPv4Network("100.66.0.0/16"),
        "nat_gateways": 3,
        "multi_az": True,
        "sign_in": "aerodrome/prod/oidc-client-secret",
        "domains": {"production"},
        "domain_name": "ml.example.com",
        "new_passwords": True,
        "backup_lock": "governance",
        "backup_copy": "us-west-2",
        "break_glass": ["OnCall"],
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_each_environment_is_of_its_kind(loaded: dict[str, Environment], name: str) -> None:
    environment = loaded[name]
    oidc = environment.access.oidc
    assert {
        "account": environment.account,
        "network": environment.network.cidr,
        "pods": environment.network.pod_cidr,
        "endpoint": "public" if environment.cluster.public_endpoint_cidrs else "private",
        "nat_gateways": environment.network.nat_gateways,
        "multi_az": environment.database.multi_az,
        "sign_in": oidc.client_secret_name if oidc else None,
        "domains": {domain for project in environment.projects for domain in project.domains},
        "domain_name": environment.access.domain_name,
        "new_passwords": environment.database.password_rotation is not None,
        "backup_lock": environment.backup.lock,
        "backup_copy": environment.backup.copy_region,
        "break_glass": [role.rpartition("/")[2] for role in environment.access.break_glass],
    } == KIND[name]
    assert environment.name == name
    assert environment.account in DOCUMENTATION_ACCOUNTS, "an account number of somebody's own is in the repository"


@pytest.mark.parametrize(
    "size",
    [
        lambda environment: sum(group.max_vcpus for group in environment.cluster.node_groups),
        lambda environment: environment.cluster.system_nodes.max_size,
        lambda environment: environment.batch.spot_vcpus,
        lambda environment: environment.batch.on_demand_vcpus,
        lambda environment: environment.batch.fargate_vcpus,
        lambda environment: environment.batch.fargate_spot_vcpus,
        lambda environment: environment.cluster.on_demand_vcpus,
        lambda environment: environment.costs.monthly_usd,
        lambda environment: environment.database.storage_gib,
        lambda environment: environment.database.max_storage_gib,
        lambda environment: sum(quota.cpu for project in environment.projects for quota in project.domains.values()),
    ],
)
def test_prod_is_larger_than_staging_and_staging_than_dev(
    loaded: dict[str, Environment], size: Callable[[Environment], int]
) -> None:
    assert size(loaded["dev"]) < size(loaded["staging"]) < size(loaded["prod"])


def test_prod_keeps_more_and_tells_more_people(loaded: dict[str, Environment]) -> None:
    prod, staging = loaded["prod"], loaded["staging"]
    for what in ("logs", "metrics", "database_backups"):
        assert getattr(prod.retention, what) > getattr(staging.retention, what), what
    assert min(prod.retention.raw_data.values()) > max(staging.retention.raw_data.values())
    assert prod.backup.keep > staging.backup.keep > loaded["dev"].backup.keep
    assert set(prod.alerts.emails) > set(staging.alerts.emails)


def test_staging_rehearses_prod(loaded: dict[str, Environment]) -> None:
    prod, staging = loaded["prod"], loaded["staging"]
    assert staging.cluster.kubernetes_version == prod.cluster.kubernetes_version
    assert staging.region == prod.region
    assert [group.name for group in staging.cluster.spot_nodes] == [group.name for group in prod.cluster.spot_nodes]
    assert {project.name for project in staging.projects} <= {project.name for project in prod.projects}
