"""Every error that pydantic can raise for an environment is explained in our own words."""

from collections.abc import Callable, Iterator, Mapping
from types import NoneType
from typing import Any, get_args, get_origin

import pytest

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.explain import SENTENCES, known_keys
from aerodrome_stacks.environment.section import Section

Problems = Callable[..., list[str]]

# An error of each type that the model can raise: its type, the change that raises it, and the line that is printed.
CASES: tuple[tuple[str, str, Any, str], ...] = (
    ("missing", "network.nat_gateways", ..., "network.nat_gateways: required, but not given"),
    ("missing", "alerts", ..., "alerts: required, but not given"),
    (
        "missing",
        "network.availability_zones",
        ["us-east-1a"],
        "network.availability_zones: has 1 entry; three are needed",
    ),
    (
        "extra_forbidden",
        "batch.gpu_vcpus",
        1,
        (
            "batch.gpu_vcpus: unknown key; known here: spot_vcpus, on_demand_vcpus, fargate_spot_vcpus, fargate_vcpus, "
            "arm, gpu, reserved_percent, efs and lustre_gib"
        ),
    ),
    ("model_type", "alerts", [], "alerts: a list stands where a mapping is expected, with the keys emails"),
    ("model_type", "alerts", None, "alerts: nothing stands where a mapping is expected, with the keys emails"),
    (
        "dict_type",
        "projects[0].domains",
        [],
        (
            "projects[0].domains: a list stands where a mapping is expected, with the keys development, staging "
            "and production"
        ),
    ),
    (
        "tuple_type",
        "alerts.emails",
        "a@b.example",
        'alerts.emails: the text "a@b.example" stands where a list is expected',
    ),
    ("too_short", "alerts.emails", [], "alerts.emails: has 0 entries; the least is 1"),
    ("too_short", "projects[0].domains", {}, "projects[0].domains: has 0 entries; the least is 1"),
    (
        "too_long",
        "network.availability_zones",
        ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"],
        "network.availability_zones: has 4 entries; the most is 3",
    ),
    (
        "string_type",
        "account",
        111122223333,
        "account: the number 111122223333 stands where text is expected; write it in quotes",
    ),
    ("string_type", "region", None, "region: nothing stands where text is expected"),
    ("string_type", "region", {}, "region: a mapping stands where text is expected"),
    ("string_unicode", "\ud800", 1, '"\\ud800" has half of a pair of characters (U+D800 to U+DFFF)'),
    (
        "int_type",
        "batch.spot_vcpus",
        "64",
        'batch.spot_vcpus: the text "64" stands where a whole number is expected; take the quotes away',
    ),
    (
        "int_type",
        "batch.spot_vcpus",
        "lots",
        'batch.spot_vcpus: the text "lots" stands where a whole number is expected',
    ),
    ("int_type", "batch.spot_vcpus", 1.5, "batch.spot_vcpus: the number 1.5 stands where a whole number is expected"),
    ("int_type", "batch.spot_vcpus", True, "batch.spot_vcpus: true stands where a whole number is expected"),
    ("greater_than_equal", "network.nat_gateways", -1, "network.nat_gateways: -1 is too small; 0 is the least"),
    ("less_than_equal", "network.nat_gateways", 4, "network.nat_gateways: 4 is too large; 3 is the most"),
    ("less_than_equal", "batch.spot_vcpus", 20_001, "batch.spot_vcpus: 20001 is too large; 20,000 is the most"),
    (
        "less_than_equal",
        "batch.spot_vcpus",
        10**5000,
        "batch.spot_vcpus: <more than 4,300 digits> is too large; 20,000 is the most",
    ),
    (
        "bool_type",
        "database.multi_az",
        "no",
        'database.multi_az: the text "no" stands where true or false is expected; write false',
    ),
    ("bool_type", "batch.efs", "On", 'batch.efs: the text "On" stands where true or false is expected; write true'),
    (
        "bool_type",
        "batch.efs",
        "true",
        'batch.efs: the text "true" stands where true or false is expected; take the quotes away',
    ),
    ("bool_type", "batch.efs", "maybe", 'batch.efs: the text "maybe" stands where true or false is expected'),
    ("bool_type", "database.multi_az", 0, "database.multi_az: the number 0 stands where true or false is expected"),
    (
        "literal_error",
        "cluster.kubernetes_version",
        "1.31",
        'cluster.kubernetes_version: "1.31" is not offered; 1.35 or 1.36 is',
    ),
    (
        "literal_error",
        "cluster.kubernetes_version",
        1.36,
        'cluster.kubernetes_version: the number 1.36 stands where text is expected; write it in quotes: "1.36"',
    ),
    ("invalid_key", "[5]", 1, "[5]: the number 5 stands where a key is expected; keys are text"),
    (
        "aerodrome",
        "region",
        "us-esat-1",
        'region: "us-esat-1" is not an AWS region with EKS, Batch and three zones; did you mean us-east-1?',
    ),
)


@pytest.mark.parametrize(
    ("path", "value", "line"), [case[1:] for case in CASES], ids=[f"{kind}-{place!a}" for kind, place, _, _ in CASES]
)
def test_sentence(problems: Problems, path: str, value: object, line: str) -> None:
    assert problems({path: value}) == [line]


def test_each_sentence_is_tried() -> None:
    assert {case[0] for case in CASES} == SENTENCES.keys() | {"extra_forbidden"}


# The errors that each kind of node in pydantic's schema can raise. None are left for what stands behind a parser of
# ours, which returns the right type or raises an error of ours.
ERRORS = {
    "bool": {"bool_type"},
    "default": set[str](),
    "dict": {"dict_type"},
    "function-after": {"aerodrome"},
    "function-before": {"aerodrome"},
    "function-plain": set[str](),
    "int": {"int_type"},
    "is-instance": set[str](),
    "json-or-python": set[str](),
    "lax-or-strict": set[str](),
    "literal": {"literal_error"},
    "model": {"model_type"},
    "model-field": set[str](),
    "model-fields": {"missing", "extra_forbidden", "invalid_key", "string_unicode"},
    "nullable": set[str](),
    "str": {"string_type", "string_unicode"},
    "timedelta": set[str](),
    "tuple": {"tuple_type", "too_long", "missing"},
}
LIMITS = {
    "ge": "greater_than_equal",
    "le": "less_than_equal",
    "max_length": "too_long",
    "min_length": "too_short",
}
# How a function is called, and where a section that stands in two places is defined once.
NO_VALIDATORS = {"no-info", "with-info", "definitions", "definition-ref"}


def possible_errors(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        kind = schema.get("type")
        if isinstance(kind, str) and kind not in NO_VALIDATORS:
            yield from ERRORS[kind]
            yield from (LIMITS[key] for key in schema if key in LIMITS)
            unknown = {key for key in schema if key in {"gt", "lt", "multiple_of", "pattern", "allow_inf_nan"}}
            assert not unknown, f"a new limit: say in LIMITS which error it raises, and explain that: {unknown}"
        for key, value in schema.items():
            if key not in {"metadata", "serialization"}:
                yield from possible_errors(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from possible_errors(value)


def test_each_error_that_the_model_can_raise_has_a_sentence() -> None:
    assert set(possible_errors(Environment.__pydantic_core_schema__)) == SENTENCES.keys() | {"extra_forbidden"}


def optional(section: type[Section] = Environment, place: str = "") -> Iterator[str]:
    """The places, in an environment with one entry in each list, of what may be left out without a default."""
    for key, field in section.model_fields.items():
        kinds = get_args(field.annotation) or (field.annotation,)
        if NoneType in kinds:
            yield f"{place}{key}"
            continue
        origin = get_origin(field.annotation)
        first = "[0]" if origin is tuple else ".development" if origin is Mapping else ""
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, Section):
                yield from optional(kind, f"{place}{key}{first}.")


def test_what_may_be_left_out_may_not_be_left_empty(problems: Problems) -> None:
    places = list(optional())
    assert {"batch.gpu", "batch.lustre_gib", "access.oidc"} <= set(places), "the listing is broken"
    for place in places:
        # Emails need the hosted zone, which may be left out as well.
        (line,) = problems({"monitoring": {}, "flyte.notifications": False, place: None})
        assert line.startswith(f"{place}: given without a value; take the line out, or write "), line


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (
            "batch.gpu",
            "batch.gpu: given without a value; take the line out, or write spot_vcpus and on_demand_vcpus below it",
        ),
        ("batch.lustre_gib", "batch.lustre_gib: given without a value; take the line out, or write a value behind it"),
        # What takes no null at all is refused by pydantic, once.
        ("batch.efs", "batch.efs: nothing stands where true or false is expected"),
        ("cluster.viewers", "cluster.viewers: nothing stands where a list is expected"),
        ("batch.gpus", "batch.gpus: unknown key; did you mean gpu?"),
    ],
)
def test_a_key_without_a_value(problems: Problems, place: str, line: str) -> None:
    assert problems({place: None}) == [line]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        # The key that a typo leaves missing is not reported as well.
        (
            {"network.nat_gateways": ..., "network.nat_gatways": 1},
            ["network.nat_gatways: unknown key; did you mean nat_gateways?"],
        ),
        # A key that is given already is not what was meant.
        (
            {"network.nat_gatways": 1},
            [
                (
                    "network.nat_gatways: unknown key; known here: cidr, availability_zones, pod_cidr, private and "
                    "nat_gateways"
                )
            ],
        ),
        (
            {"projects[1].domains": {"developement": {"cpu": 1, "memory_gib": 1}}},
            ["projects[1].domains.developement: unknown key; did you mean development?"],
        ),
        (
            {"access.oidc": {"issuer": "https://a.example", "client_id": "a", "client_secret": "hunter2"}},
            [
                "access.oidc.client_secret: unknown key; did you mean client_secret_name?",
                *(
                    f"access.oidc.{key}: required, but not given"
                    for key in (
                        *("endpoints", "audience", "cli_client_id", "service_client_id"),
                        "service_client_secret_name",
                    )
                ),
            ],
        ),
        ({"name": "dev"}, ["name: unknown key; the name of the file names the environment: dev"]),
        (
            {"batch.a b\n": 1},
            [
                (
                    'batch."a b\\n": unknown key; known here: spot_vcpus, on_demand_vcpus, fargate_spot_vcpus, '
                    "fargate_vcpus, arm, gpu, reserved_percent, efs and lustre_gib"
                )
            ],
        ),
    ],
)
def test_unknown_key(problems: Problems, changes: dict[str, object], lines: list[str]) -> None:
    assert problems(changes) == lines


def test_all_problems_come_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    lines = problems(
        {
            "network.foo": 1,
            "network.cidr": "10.16.0.1/16",
            "account": "1111-2222-3333",
            "cluster.system_nodes.min_size": 7,
            "database.multi_az": "yes",
            # A rule between two sections that are valid is not held back by the sections that are not.
            "projects[1].name": "fraud-detection",
            "alerts.emails": ["nobody"],
        }
    )
    assert [line.partition(": ")[0] for line in lines] == [
        "account",
        "network.cidr",
        "network.foo",
        "cluster.system_nodes",
        "database.multi_az",
        "projects[1].name",
        "alerts.emails[0]",
    ]


def test_known_keys_follows_the_model_into_each_corner() -> None:
    assert "name" not in known_keys(())
    assert known_keys(("cluster", "spot_nodes", 0)) == ("instance_types", "max_size", "name", "min_size")
    assert known_keys(("projects", 3, "domains", "staging")) == ("cpu", "memory_gib", "gpu", "max_parallelism", "queue")
    assert known_keys(("access", "oidc", "endpoints")) == ("authorization", "token", "userinfo", "jwks")
    assert known_keys(("region",)) == ()
