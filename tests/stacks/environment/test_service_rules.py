"""What runs in the cluster fits into it, is reached as it should be, and takes its images from where it may."""

from collections.abc import Callable
from typing import Any

import pytest

from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.environment.flyte import LOADS, Flyte
from tests.templates import ROOT

Problems = Callable[..., list[str]]

PRIVATE = {
    "network.private": True,
    "network.nat_gateways": 0,
    "cluster.public_endpoint_cidrs": [],
}
WORKSPACE = "ws-12345678-90ab-cdef-1234-567890abcdef/api/v1/remote_write"


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"flyte": {"load": "small"}}, []),
        (
            {"flyte": {"load": "medium"}, "database.instance_class": "db.m7g.large"},
            [
                (
                    "cluster.system_nodes.instance_types: a node has 2 CPUs, of which 75% are for a pod, and "
                    "flytepropeller asks for 2 with flyte.load medium; name types with 3 CPUs or more, or a smaller "
                    "load"
                ),
                (
                    "cluster.system_nodes.instance_types: a node has 8 GiB, of which 75% are for a pod, and "
                    "flytepropeller asks for 8 with flyte.load medium; name types with 11 GiB or more, or a smaller "
                    "load"
                ),
            ],
        ),
        (
            {
                "flyte": {"load": "large"},
                "cluster.system_nodes.instance_types": ["m7i.4xlarge"],
                "database.instance_class": "db.m7g.xlarge",
            },
            [],
        ),
        ({"flyte": {"propeller_shards": 6}}, []),
        (
            {"flyte": {"propeller_shards": 32}},
            [
                (
                    "flyte.propeller_shards: 32, and 6 system nodes with 2 CPUs have room for 6, which ask for 1 each "
                    "with flyte.load small: one without a node would hold its executions up; write 6 or fewer, or "
                    "raise max_size of cluster.system_nodes"
                ),
                (
                    "flyte.propeller_shards: 32, and 6 system nodes with 8 GiB have room for 12, which ask for 3 each "
                    "with flyte.load small: one without a node would hold its executions up; write 12 or fewer, or "
                    "raise max_size of cluster.system_nodes"
                ),
            ],
        ),
        ({"flyte": {"load": "huge"}}, ['flyte.load: "huge" is not offered; small, medium or large is']),
        (
            {"flyte": {"plugins": ["spark", "spark"]}},
            ["flyte.plugins: spark stands in the list more than once; keep one"],
        ),
        ({"flyte": {"propeller_shards": 33}}, ["flyte.propeller_shards: 33 is too large; 32 is the most"]),
        ({"flyte": {"resource_limits": {"k8s-array": 10}}}, []),
        (
            {"flyte": {"resource_limits": {"snowflake": 10}}},
            ["flyte.resource_limits.snowflake: unknown key; known here: connector-service and k8s-array"],
        ),
    ],
)
def test_flyte(problems: Problems, changes: dict[str, Any], lines: list[str]) -> None:
    assert problems(changes) == lines


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"access.hosted_zone_id": ..., "flyte.notifications": False}, []),
        (
            {"access.hosted_zone_id": ...},
            [
                (
                    "flyte.notifications: true, but access.hosted_zone_id is not given: the emails' sender is proved "
                    "by records in that zone; give it, or write false"
                )
            ],
        ),
        (
            {"access.hosted_zone_id": "ml.example.com"},
            [
                (
                    'access.hosted_zone_id: "ml.example.com" is not the ID of a Route 53 hosted zone; those look like '
                    "Z0123456789EXAMPLE, and `aws route53 list-hosted-zones` prints those of an account, after "
                    "/hostedzone/"
                )
            ],
        ),
        ({"access.public_cidrs": ["203.0.113.0/24"]}, []),
        (
            {"access.public_cidrs": ["0.0.0.0/0"]},
            [
                (
                    "access.public_cidrs[0]: 0.0.0.0/0 opens Flyte, MLflow and Grafana to the whole internet; name "
                    "your offices' ranges, /8 or narrower, or [] to make it private"
                )
            ],
        ),
        (
            {"access.public_cidrs": ["10.0.0.0/16"]},
            [
                (
                    "access.public_cidrs[0]: 10.0.0.0/16 is private and never comes from the internet; name public "
                    "ranges, or []"
                )
            ],
        ),
    ],
)
def test_how_the_platform_is_reached(problems: Problems, changes: dict[str, Any], lines: list[str]) -> None:
    assert problems(changes) == lines


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"images": "mirror"}, []),
        (
            {},
            [
                (
                    "images: upstream, but network.private is true: nodes reach no registry but the account's own; "
                    "write mirror, and run aerodrome mirror before you deploy"
                )
            ],
        ),
        (
            {"images": "mirror", "access.public_cidrs": ["203.0.113.0/24"]},
            [("access.public_cidrs: 203.0.113.0/24, but network.private is true: nothing has a way in; write []")],
        ),
    ],
)
def test_a_private_network(problems: Problems, changes: dict[str, Any], lines: list[str]) -> None:
    # Of staging, where people sign in with the company's accounts.
    assert problems(PRIVATE | changes, "staging") == lines


def test_nobody_signs_in_with_cognito_in_a_private_network(problems: Problems) -> None:
    assert problems({**PRIVATE, "images": "mirror"}) == [
        (
            "access.oidc: not given, but network.private is true, and the pages of Amazon Cognito are on the internet; "
            "name an identity provider that the network reaches"
        )
    ]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"projects[1].uses": ["fraud-detection"]}, []),
        (
            {"projects[1].uses": ["demand-forecast"]},
            ["projects[1].uses[0]: demand-forecast is the project itself, which may; take it out"],
        ),
        (
            {"projects[1].uses": ["fraud"]},
            [
                "projects[1].uses[0]: fraud is no project here; those are fraud-detection and demand-forecast",
            ],
        ),
        (
            {"projects[1].uses": ["fraud-detection"], "projects[1].domains": {"staging": {"cpu": 1, "memory_gib": 1}}},
            [
                (
                    "projects[1].uses[0]: fraud-detection has development, and demand-forecast has staging: tasks are "
                    "referred to in the same domain; give both one"
                )
            ],
        ),
        ({"projects[0].domains.development.queue": "on-demand"}, []),
        (
            {"projects[0].domains.development.queue": "gpu"},
            [
                (
                    "projects[0].domains.development.queue: gpu, but batch.gpu is not given, so there is none; give "
                    "it, or write spot or on-demand"
                )
            ],
        ),
        (
            {
                "projects[0].domains.development.queue": "gpu",
                "batch.gpu": {"spot_vcpus": 4, "on_demand_vcpus": 4},
            },
            [],
        ),
        (
            {"projects[0].domains.development.max_parallelism": 0},
            ["projects[0].domains.development.max_parallelism: 0 is too small; 1 is the least"],
        ),
    ],
)
def test_projects(problems: Problems, changes: dict[str, Any], lines: list[str]) -> None:
    assert problems(changes) == lines


@pytest.mark.parametrize(
    ("monitoring", "lines"),
    [
        ({"remote_write": f"https://aps-workspaces.us-east-1.amazonaws.com/workspaces/{WORKSPACE}"}, []),
        (
            {"remote_write": f"https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/{WORKSPACE}"},
            [
                (
                    "monitoring.remote_write: https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/"
                    f"{WORKSPACE} is not in us-east-1; name a workspace there"
                )
            ],
        ),
        (
            {"remote_write": "https://prometheus.example.com/api/v1/write"},
            [
                (
                    'monitoring.remote_write: "https://prometheus.example.com/api/v1/write" is not the remote write '
                    "URL of a workspace of Amazon Managed Service for Prometheus; `aws amp describe-workspace` prints "
                    "its endpoint, to which api/v1/remote_write is added"
                )
            ],
        ),
        ({"storage_gib": 10}, ["monitoring.storage_gib: 10 is too small; 20 is the least"]),
    ],
)
def test_monitoring(problems: Problems, monitoring: dict[str, Any], lines: list[str]) -> None:
    assert problems({"monitoring": monitoring}) == lines


@pytest.mark.parametrize(
    ("window", "lines"),
    [
        ({"starts": "0 2 * * sun", "lasts": "4h"}, []),
        (
            {"starts": "0 25 * * sun", "lasts": "4h"},
            [
                (
                    'cluster.maintenance_window.starts: "25" cannot be the hour of a schedule; 0 to 23 are allowed, '
                    "ranges (1-5), lists (1,3) and steps (*/2)"
                )
            ],
        ),
        (
            {"starts": "0 2 * * sun", "lasts": "25h"},
            ["cluster.maintenance_window.lasts: 25h is out of range; 1h to 24h are allowed"],
        ),
    ],
)
def test_the_maintenance_window(problems: Problems, window: dict[str, Any], lines: list[str]) -> None:
    assert problems({"cluster.maintenance_window": window}) == lines


def test_what_is_left_out_of_flyte_is_little() -> None:
    flyte = Flyte()

    assert (flyte.load, flyte.plugins, flyte.notifications, flyte.events) == ("small", (), False, False)
    assert flyte.bears is LOADS["small"]


def test_one_shard_is_none() -> None:
    assert [Flyte(propeller_shards=shards).propeller_shards for shards in (0, 1, 2)] == [0, 0, 2]


def test_a_greater_load_has_more_of_everything() -> None:
    small, medium, large = (LOADS[name] for name in ("small", "medium", "large"))
    for field in small.__dataclass_fields__:
        assert getattr(small, field) < getattr(medium, field) < getattr(large, field), field


def test_loads_keep_to_what_was_measured() -> None:
    # 1,000 tasks held need 8 GiB (flyte-benchmarks), and 500 to 800 workers 4 to 8 CPUs (Flyte's guide, performance).
    assert {name: load.tasks_held for name, load in LOADS.items()} == {"small": 375, "medium": 1000, "large": 4000}
    assert all(100 <= load.workers / load.propeller_cpus <= 200 for load in LOADS.values())


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_environments_say_what_they_hold(name: str) -> None:
    environment: Environment = load_environment(name, ROOT / "environments")

    described = type(environment.flyte).model_fields["load"].description
    assert described is not None
    assert f"`{environment.flyte.load}`" in described
    assert f"{environment.flyte.bears.tasks_held:,}" in described


ONE = {"cpu": 1, "memory_gib": 1}


@pytest.mark.parametrize(
    ("using", "lines"),
    [
        (10, []),
        (
            11,
            [
                (
                    "projects: they use each other 220 times, counted in each domain that both have, and 200 may be: "
                    "the rights are one stack, and CloudFormation takes a template of 1 MB; take projects out of uses "
                    "that are not referred to, or put some projects into another environment"
                )
            ],
        ),
    ],
)
def test_projects_use_each_other_as_often_as_cloudformation_takes(
    problems: Problems, using: int, lines: list[str]
) -> None:
    names = [f"project-{number}" for number in range(30)]
    projects = [
        {
            "name": name,
            "owner": "team@example.com",
            "batch": {"daily_usd": 10},
            # The last nine have a domain that those who use them have not: it does not count.
            "domains": {"development": ONE} | ({"staging": ONE} if number > 20 else {}),
            "uses": [other for other in names if other != name][-20:] if number < using else [],
        }
        for number, name in enumerate(names)
    ]
    assert problems({"projects": projects}) == lines
