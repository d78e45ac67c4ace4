"""Connectors: images that stay what they are, task types that one of them starts, and limits that limit something."""

from collections.abc import Callable
from typing import Any

import pytest

from aerodrome_stacks.environment.flyte import Flyte

Problems = Callable[..., list[str]]

BATCH = "111122223333.dkr.ecr.us-east-1.amazonaws.com/aerodrome/flytekit-aws-batch:0.1.0"

PRIVATE = {"network.private": True, "network.nat_gateways": 0, "cluster.public_endpoint_cidrs": [], "images": "mirror"}


def connector(image: str = "ghcr.io/acme/snowflake-connector:1.4.0", *kinds: str) -> dict[str, Any]:
    return {"image": image, "task_types": list(kinds or ("snowflake",))}


@pytest.mark.parametrize(
    ("flyte", "lines"),
    [
        ({"connectors": {"snowflake": connector()}}, []),
        ({"connectors": {"snowflake": connector()}, "resource_limits": {"connector-service": 10}}, []),
        (
            {"resource_limits": {"connector-service": 10}},
            [
                (
                    "flyte.resource_limits.connector-service: 10, but flyte.connectors names none, and there is no "
                    "flyte.batch_connector, so it limits nothing; give a connector, or take the limit out"
                )
            ],
        ),
        ({"batch_connector": {"image": BATCH}, "resource_limits": {"connector-service": 10}}, []),
        ({"batch_connector": {"image": BATCH}, "connectors": {"snowflake": connector()}}, []),
        # Jobs are then submitted without Flyte.
        ({"batch_plugin": False}, []),
        (
            {"batch_connector": {"image": "flytekit-aws-batch", "replicas": 0}},
            [
                (
                    'flyte.batch_connector.image: "flytekit-aws-batch" is not an image with its registry and a tag '
                    "that stays, or a digest; those look like ghcr.io/acme/snowflake-connector:1.4.0, and latest is no "
                    "such tag"
                ),
                "flyte.batch_connector.replicas: 0 is too small; 1 is the least",
            ],
        ),
        (
            {"connectors": {"aws-batch": connector()}},
            [
                (
                    "flyte.connectors.aws-batch: aws-batch is what the platform calls its own connector of AWS Batch; "
                    "give flyte.batch_connector its image, or choose another name"
                )
            ],
        ),
        (
            {"connectors": {"a": connector("ghcr.io/acme/a:1", "aws-batch", "aws-batch-job")}},
            [
                "flyte.connectors.a.task_types[0]: aws-batch is a type that Flyte runs itself; take it out",
                (
                    "flyte.connectors.a.task_types[1]: aws-batch-job is the type of the platform's own connector of "
                    "AWS Batch; give flyte.batch_connector its image, and take the type out"
                ),
            ],
        ),
        (
            {"connectors": {"snowflake": connector("ghcr.io/acme/snowflake-connector:latest")}},
            [
                (
                    'flyte.connectors.snowflake.image: "ghcr.io/acme/snowflake-connector:latest" is not an image with '
                    "its registry and a tag that stays, or a digest; those look like "
                    "ghcr.io/acme/snowflake-connector:1.4.0, and latest is no such tag"
                )
            ],
        ),
        (
            {
                "connectors": {
                    "a": connector(),
                    "b": connector("ghcr.io/acme/b:2", "bigquery_query_job_task", "snowflake"),
                }
            },
            [
                "flyte.connectors.b.task_types[1]: snowflake is started by the connector a already; keep one",
            ],
        ),
        (
            {"plugins": ["spark"], "connectors": {"a": connector("ghcr.io/acme/a:1", "spark", "python-task")}},
            [
                "flyte.connectors.a.task_types[0]: spark is a type that Flyte runs itself; take it out",
                "flyte.connectors.a.task_types[1]: python-task is a type that Flyte runs itself; take it out",
            ],
        ),
        (
            {"connectors": {"a": {**connector(), "task_types": ["snowflake", "snowflake"]}}},
            ["flyte.connectors.a.task_types: snowflake stands in the list more than once; keep one"],
        ),
        (
            {"connectors": {"a": {**connector(), "task_types": []}}},
            ["flyte.connectors.a.task_types: has 0 entries; the least is 1"],
        ),
        (
            {"connectors": {"Snow_Flake": connector()}},
            [
                (
                    'flyte.connectors.Snow_Flake: "Snow_Flake" is not a connector\'s name; those are lower-case '
                    "letters, digits and inner hyphens, such as snowflake"
                )
            ],
        ),
        (
            {"connectors": ["snowflake"]},
            ["flyte.connectors: a list stands where a mapping is expected, from names of your choice"],
        ),
    ],
)
def test_connectors(problems: Problems, flyte: dict[str, Any], lines: list[str]) -> None:
    assert problems({"flyte": flyte}) == lines


@pytest.mark.parametrize(
    ("image", "fine"),
    [
        ("ghcr.io/acme/connector:1.4.0", True),
        ("registry.acme.internal:5000/ml/connector_x:v1", True),
        (f"111122223333.dkr.ecr.us-east-1.amazonaws.com/connector@sha256:{'0a' * 32}", True),
        (f"ghcr.io/acme/connector:1.4.0@sha256:{'0a' * 32}", True),
        ("ghcr.io/acme/connector:latest2", True),
        ("ghcr.io/acme/connector", False),
        ("connector:1.4.0", False),
        (f"ghcr.io/acme/connector:latest@sha256:{'0a' * 32}", False),
        ("ghcr.io/acme/connector@sha256:0a", False),
    ],
)
def test_an_image_is_pinned(problems: Problems, image: str, *, fine: bool) -> None:
    assert (problems({"flyte": {"connectors": {"a": connector(image)}}}) == []) is fine


def test_in_a_private_network_connectors_come_from_ecr(problems: Problems) -> None:
    within = "777788889999.dkr.ecr.us-east-1.amazonaws.com/connectors/snowflake:1.4.0"

    assert problems({**PRIVATE, "flyte": {"connectors": {"a": connector(within)}}}, "staging") == []
    assert problems({**PRIVATE, "flyte": {"batch_connector": {"image": within}}}, "staging") == []
    flyte = {"connectors": {"a": connector()}, "batch_connector": {"image": "ghcr.io/acme/batch:1"}}
    assert problems({**PRIVATE, "flyte": flyte}, "staging") == [
        (
            f"flyte.{path}.image: ghcr.io/acme/{image}, but network.private is true: nodes reach ECR of us-east-1 and "
            "no other registry; push the image there, and name it so"
        )
        for path, image in (("connectors.a", "snowflake-connector:1.4.0"), ("batch_connector", "batch:1"))
    ]


def test_what_starts_a_type_of_task_is_known() -> None:
    flyte = Flyte.model_validate({"batch_connector": {"image": BATCH}, "connectors": {"snowflake": connector()}})

    assert flyte.connector_task_types == {"snowflake": "snowflake", "aws-batch-job": "aws-batch"}
    assert flyte.connector_images == {"snowflake": connector()["image"], "aws-batch": BATCH}
    assert Flyte().connector_task_types == Flyte().connector_images == {}
