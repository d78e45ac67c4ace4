"""Rules on quotas, storage and retention, by environment, and between environments: what each refuses and lets pass."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from aerodrome_stacks.batch_queues import flyte_kinds, kinds
from aerodrome_stacks.environment import (
    Environment,
    InvalidEnvironmentError,
    conflicts,
    environment_names,
    load_environment,
)
from aerodrome_stacks.environment.load import validate
from aerodrome_stacks.environment.rules import RULES

Problems = Callable[..., list[str]]

GENERAL = "cluster.spot_nodes[0]"
FAMILIES = ("m7i", "m7i-flex", "m7a", "m6i", "m6a", "m6id", "m5", "m5a", "m5d", "m5n")
MONITOR = "arn:aws:ce::{account}:anomalymonitor/4a5e9f4e-0f3c-4b7e-9d5e-2c1f3a6b7c8d"
TEN_TYPES = [f"{family}.2xlarge" for family in FAMILIES]
GPUS = "more than all nodes have at most: 20 (20 general); lower it, or raise max_size of a node group"
NODES = "more than all nodes have at most: 92 (12 system + 80 general); lower it, or raise max_size of a node group"


def domains(**quotas: tuple[int, int, int]) -> dict[str, dict[str, int]]:
    return {domain: dict(zip(("cpu", "memory_gib", "gpu"), quota, strict=True)) for domain, quota in quotas.items()}


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        # Exactly what the nodes have, alone and together: 92 vCPUs and 368 GiB.
        ({"projects[0].domains": domains(staging=(92, 368, 0))}, []),
        (
            {
                "projects[0].domains": domains(development=(60, 300, 0)),
                "projects[1].domains": domains(development=(32, 68, 0)),
            },
            [],
        ),
        # Domains are not added up: a project moves from one to the next.
        (
            {
                "projects[0].domains": domains(development=(90, 128, 0)),
                "projects[1].domains": domains(staging=(90, 128, 0)),
            },
            [],
        ),
        (
            {"projects[0].domains": domains(staging=(93, 128, 0))},
            [f"projects[0].domains.staging.cpu: 93 vCPUs are {NODES}"],
        ),
        (
            {"projects[0].domains": domains(development=(77, 128, 0))},
            [
                "projects: cpu of all quotas in domain development is 93 vCPUs (77 fraud-detection + 16 "
                "demand-forecast), " + NODES
            ],
        ),
        (
            {"projects[0].domains": domains(staging=(1, 369, 0))},
            [
                (
                    "projects[0].domains.staging.memory_gib: 369 GiB are more than all nodes have at most: 368 (48 "
                    "system + 320 general); lower it, or raise max_size of a node group"
                )
            ],
        ),
        # The name of a burstable type does not tell its memory.
        (
            {
                f"{GENERAL}.instance_types": ["t3.2xlarge", *TEN_TYPES],
                "projects[0].domains": domains(staging=(1, 100_000, 0)),
            },
            [],
        ),
        (
            {"projects[0].domains": domains(development=(1, 1, 2))},
            [
                (
                    "projects[0].domains.development.gpu: 2 given, but no group in cluster.spot_nodes has GPUs; add "
                    "one of the families g or p, or write 0"
                )
            ],
        ),
        (
            {
                f"{GENERAL}.instance_types": ["g6.2xlarge", "g5.2xlarge"],
                "projects[0].domains": domains(development=(1, 1, 2)),
            },
            [],
        ),
        # Exactly what the nodes have, ten with four GPUs each.
        (
            {
                f"{GENERAL}.instance_types": ["g6.12xlarge", "g5.12xlarge"],
                "cluster.on_demand_vcpus": 48,
                "projects[0].domains": domains(development=(1, 1, 30)),
                "projects[1].domains": domains(development=(1, 1, 10)),
            },
            [],
        ),
        # A group may get nothing but the type with the fewest: g7e.12xlarge has two.
        (
            {
                f"{GENERAL}.instance_types": ["g6.12xlarge", "g7e.12xlarge"],
                "cluster.on_demand_vcpus": 48,
                "projects[0].domains": domains(staging=(1, 1, 21)),
            },
            [f"projects[0].domains.staging.gpu: 21 GPUs are {GPUS}"],
        ),
        (
            {
                f"{GENERAL}.instance_types": ["g6.12xlarge", "g7e.12xlarge"],
                "cluster.on_demand_vcpus": 48,
                "projects[0].domains": domains(development=(1, 1, 18)),
                "projects[1].domains": domains(development=(1, 1, 3)),
            },
            [
                "projects: gpu of all quotas in domain development is 21 GPUs (18 fraud-detection + 3 "
                "demand-forecast), " + GPUS
            ],
        ),
        # A type that is newer than the model: nobody knows how many GPUs it has.
        (
            {f"{GENERAL}.instance_types": ["g99.2xlarge"], "projects[0].domains": domains(staging=(1, 1, 100))},
            [],
        ),
        (
            {"projects[1].name": "fraud-detection"},
            ["projects[1].name: fraud-detection is the name of another project, too; names must differ"],
        ),
        # A share of AWS Batch's queues has no hyphens.
        (
            {"projects[1].name": "frauddetection"},
            [
                (
                    "projects[1].name: frauddetection: AWS Batch knows projects without their hyphens, and project "
                    "fraud-detection is frauddetection there, too; choose a name that differs in more than hyphens"
                )
            ],
        ),
        # Only what begins with a project, a domain of its own and a hyphen is in that project's reach.
        ({"projects[1].name": "fraud-detection-2"}, []),
        ({"projects[1].name": "fraud-detection-staging"}, []),
        (
            {"projects[1].name": "fraud-detection-development"},
            [
                (
                    "projects[1].name: fraud-detection-development: project fraud-detection could read and write its "
                    "data, as the role of a project and domain reaches what begins with <project>-<domain>-; choose a "
                    "name that does not begin so"
                )
            ],
        ),
    ],
)
def test_projects(problems: Problems, changes: dict[str, Any], lines: list[str]) -> None:
    assert problems(changes) == lines


@pytest.mark.parametrize(
    ("name", "changes", "lines"),
    [
        ("dev", {"database.multi_az": False}, []),
        (
            "staging",
            {"database.multi_az": False},
            ["database.multi_az: false, but staging must survive the loss of a zone; write true"],
        ),
        (
            "prod",
            {"database.multi_az": False},
            ["database.multi_az: false, but prod must survive the loss of a zone; write true"],
        ),
        ("dev", {"access": {"domain_name": "ml.example.com"}, "flyte.notifications": False}, []),
        (
            "prod",
            {"access.oidc": ...},
            [
                (
                    "access.oidc: not given, but people sign in to prod with the company's accounts; name its identity "
                    "provider"
                )
            ],
        ),
        (
            "staging",
            {"access.oidc": ...},
            [
                (
                    "access.oidc: not given, but people sign in to staging with the company's accounts; name its "
                    "identity provider"
                )
            ],
        ),
        ("staging", {"retention.database_backups": "7d"}, []),
        ("prod", {"retention.database_backups": "14d"}, []),
        (
            "prod",
            {"retention.database_backups": "13d"},
            ["retention.database_backups: 13d, but prod keeps backups for at least 14d"],
        ),
        ("staging", {}, []),
        (
            "prod",
            {"database.password_rotation": ...},
            ["database.password_rotation: not given, but prod changes its database passwords; write 30d"],
        ),
        ("staging", {"backup.lock": "none"}, []),
        ("prod", {"backup.lock": "compliance"}, []),
        (
            "prod",
            {"backup.lock": "none"},
            ["backup.lock: none, but prod locks its backups against deletion; write governance or compliance"],
        ),
        ("staging", {"network.nat_gateways": 1}, []),
        (
            "prod",
            {"network.nat_gateways": 2},
            ["network.nat_gateways: 2, but prod must not lose the internet with a zone; write 3"],
        ),
        ("prod", {"network.nat_gateways": 0, "network.private": True, "images": "mirror"}, []),
        ("staging", {"cluster.public_endpoint_cidrs": ["203.0.113.0/24"]}, []),
        (
            "prod",
            {"cluster.public_endpoint_cidrs": ["203.0.113.0/24", "198.51.100.0/24"]},
            [
                (
                    "cluster.public_endpoint_cidrs: 203.0.113.0/24 and 198.51.100.0/24, but prod's Kubernetes API is "
                    "private; write []"
                )
            ],
        ),
        ("dev", {"cluster.system_nodes.min_size": 1}, []),
        ("staging", {"cluster.system_nodes.min_size": 3}, []),
        (
            "staging",
            {"cluster.system_nodes.min_size": 2},
            [
                (
                    "cluster.system_nodes.min_size: 2, but staging must survive the loss of a zone, and Karpenter "
                    "itself runs on these nodes; write 3 or more"
                )
            ],
        ),
        (
            "prod",
            {"cluster.system_nodes.min_size": 1},
            [
                (
                    "cluster.system_nodes.min_size: 1, but prod must survive the loss of a zone, and Karpenter "
                    "itself runs on these nodes; write 3 or more"
                )
            ],
        ),
        ("staging", {"retention.logs": "1d"}, []),
        ("prod", {"retention.logs": "90d"}, []),
        ("prod", {"retention.logs": "89d"}, ["retention.logs: 89d, but prod keeps logs for at least 90d"]),
        ("dev", {"access.break_glass": []}, []),
        (
            "prod",
            {"access.break_glass": []},
            ["access.break_glass: not given, but prod needs a way in for emergencies; name at least one role"],
        ),
    ],
)
def test_what_people_rely_on(problems: Problems, name: str, changes: dict[str, Any], lines: list[str]) -> None:
    assert problems(changes, name) == lines


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"network.private": True},
            [
                "network.nat_gateways: 1, but network.private is true: nothing has a way out; write 0",
                (
                    "cluster.public_endpoint_cidrs: 203.0.113.0/24, but network.private is true: nothing has a way "
                    "in; write []"
                ),
                (
                    "access.oidc: not given, but network.private is true, and the pages of Amazon Cognito are on the "
                    "internet; name an identity provider that the network reaches"
                ),
                (
                    "images: upstream, but network.private is true: nodes reach no registry but the account's own; "
                    "write mirror, and run aerodrome mirror before you deploy"
                ),
            ],
        ),
        (
            {"network.private": "true"},
            ['network.private: the text "true" stands where true or false is expected; take the quotes away'],
        ),
        (
            {"network.nat_gateways": 0},
            [
                (
                    "network.nat_gateways: 0, but nodes pull images and charts from the internet; write 1 to 3, or "
                    "network.private: true"
                )
            ],
        ),
        (
            {"network.pod_cidr": "10.16.128.0/17"},
            ["network.pod_cidr: 10.16.128.0/17 overlaps network.cidr, 10.16.0.0/16; take another range"],
        ),
        ({"network.pod_cidr": "10.17.0.0/16"}, []),
        (
            {"network.cidr": "192.168.0.0/16", "network.pod_cidr": "10.17.0.0/16"},
            [
                (
                    "network.pod_cidr: 10.17.0.0/16 is of 10.0.0.0/8, which AWS allows only where network.cidr is, "
                    "too, and that is 192.168.0.0/16; take it from 100.64.0.0/10"
                )
            ],
        ),
        (
            {"network.pod_cidr": "192.168.0.0/16"},
            [
                (
                    "network.pod_cidr: 192.168.0.0/16 cannot be a VPC's second range for pods; take it from "
                    "10.0.0.0/8 and 100.64.0.0/10"
                )
            ],
        ),
        (
            {"network.pod_cidr": "100.64.0.0/20"},
            [
                (
                    "network.pod_cidr: 100.64.0.0/20 has 4,096 addresses; the subnets of three zones need at least "
                    "8,192, which is /19"
                )
            ],
        ),
        ({"backup.copy_region": "us-west-2"}, []),
        (
            {"backup.copy_region": "us-east-1"},
            ["backup.copy_region: us-east-1 is the environment's own region; name another, or leave the key out"],
        ),
        ({"backup.keep": "6d"}, ["backup.keep: 6d is out of range; 7d to 3653d are allowed"]),
        ({"backup.lock": "legal"}, ['backup.lock: "legal" is not offered; none, governance or compliance is']),
        (
            {"access.break_glass": ["arn:aws:iam::444455556666:role/OnCall"]},
            [
                (
                    "access.break_glass[0]: arn:aws:iam::444455556666:role/OnCall belongs to account 444455556666; "
                    "only roles of 111122223333 are allowed"
                )
            ],
        ),
        ({"cluster.on_demand_vcpus": 8}, []),
        (
            {"cluster.on_demand_vcpus": 7},
            [
                (
                    "cluster.on_demand_vcpus: 7, but the smallest node of the spot groups' types has 8 vCPUs: none "
                    "would ever start; write 8 or more"
                )
            ],
        ),
        ({"costs.anomaly_monitor": MONITOR.format(account="111122223333")}, []),
        (
            {"costs.anomaly_monitor": MONITOR.format(account="444455556666")},
            [
                (
                    f"costs.anomaly_monitor: {MONITOR.format(account='444455556666')} belongs to account 444455556666; "
                    "only the monitor of 111122223333 is allowed"
                )
            ],
        ),
        (
            {"costs.anomaly_monitor": "Default-Services-Monitor"},
            [
                (
                    'costs.anomaly_monitor: "Default-Services-Monitor" is not the ARN of a cost anomaly monitor; '
                    "`aws ce get-anomaly-monitors` prints those of an account"
                )
            ],
        ),
        ({"costs.anomaly_usd": 1500}, []),
        ({"costs.anomaly_usd": 1501}, ["costs: anomaly_usd is 1501, above monthly_usd, which is 1500; lower it"]),
        ({"costs.monthly_usd": 0}, ["costs.monthly_usd: 0 is too small; 1 is the least"]),
        (
            {"allowed_replacements": [{"resource": "Storage/RawData/Resource", "reason": "nobody needs it"}]},
            [
                (
                    'allowed_replacements[0].reason: "nobody needs it" is not a reason; write a sentence of at least '
                    "20 characters"
                )
            ],
        ),
    ],
)
def test_what_a_bank_asks(problems: Problems, changes: dict[str, Any], lines: list[str]) -> None:
    assert problems(changes) == lines


FEWER = "take domains from projects that do not use them, or put some projects into another environment"


@pytest.mark.parametrize(
    ("of_each", "lines"),
    [
        ({"development": 60, "staging": 60, "production": 15}, []),
        (
            {"development": 61, "staging": 74},
            [
                (
                    f"projects: {count} have the domain {domain}, and 60 may: its jobs are one stack, which "
                    f"CloudFormation lets have 500 resources; {FEWER}"
                )
                for domain, count in (("development", 61), ("staging", 74))
            ],
        ),
        (
            {"development": 60, "staging": 60, "production": 16},
            [
                (
                    "projects: they have 136 domains (60 development + 60 staging + 16 production), and 135 may be: "
                    "each has a role, all roles are one stack, and CloudFormation takes a template of 1 MB; " + FEWER
                )
            ],
        ),
    ],
)
def test_there_are_as_many_projects_and_domains_as_cloudformation_takes(
    problems: Problems, of_each: dict[str, int], lines: list[str]
) -> None:
    projects = [
        {
            "name": f"project-{number}",
            "owner": "team@example.com",
            "batch": {"daily_usd": 10},
            "domains": domains(**{domain: (1, 1, 0) for domain, count in of_each.items() if number < count}),
        }
        for number in range(max(of_each.values()))
    ]
    assert problems({"projects": projects}) == lines


def test_raw_data_of_a_domain_in_use_expires(document: Callable[[str], dict[str, Any]]) -> None:
    values = document("dev")
    values["projects"][1]["domains"]["staging"] = {"cpu": 1, "memory_gib": 1}
    with pytest.raises(InvalidEnvironmentError) as invalid:
        validate("dev", values, Path("dev.yaml"))
    assert invalid.value.problems == (
        (
            "dev.yaml: retention.raw_data.staging: not given, and project demand-forecast has this domain; write a "
            "period, such as 30d"
        ),
    )


@pytest.mark.parametrize(
    ("storage", "largest", "lines"),
    [
        (100, 110, []),
        (100, 100, []),
        (65_536, 65_536, []),
        (
            100,
            109,
            [
                (
                    "database: max_storage_gib is 109; RDS wants at least 10 % above storage_gib (100 + 10 % = 110), "
                    "or exactly 100 to switch growth off"
                )
            ],
        ),
        # A tenth of 101 is not whole: 111.1 is rounded up.
        (
            101,
            111,
            [
                (
                    "database: max_storage_gib is 111; RDS wants at least 10 % above storage_gib (101 + 10 % = 112), "
                    "or exactly 101 to switch growth off"
                )
            ],
        ),
    ],
)
def test_storage(problems: Problems, storage: int, largest: int, lines: list[str]) -> None:
    assert problems({"database.storage_gib": storage, "database.max_storage_gib": largest}) == lines


@pytest.mark.parametrize(
    ("key", "given", "line"),
    [
        ("logs", "3653d", None),
        ("logs", "3654d", "3654d is out of range; 1d to 3653d are allowed"),
        ("logs", "36h", "36h is not whole days; write 2d"),
        ("metrics", "36h", None),
        ("metrics", "1h", "1h is out of range; 2h to 400d are allowed"),
        ("raw_data.development", "3651d", "3651d is out of range; 1d to 3650d are allowed"),
        ("raw_data.development", "36h", "36h is not whole days; write 2d"),
        ("raw_data", {}, "has 0 entries; the least is 1"),
        ("database_backups", "36d", "36d is out of range; 1d to 35d are allowed"),
        ("database_backups", "23h", "23h is out of range; 1d to 35d are allowed"),
    ],
)
def test_retention(problems: Problems, key: str, given: str, line: str | None) -> None:
    assert problems({f"retention.{key}": given}) == ([] if line is None else [f"retention.{key}: {line}"])


def test_each_rule_needs_sections_that_exist() -> None:
    """A rule whose parameter is misspelt would wait for ever."""
    for rule in RULES:
        assert signature(rule).parameters.keys() <= Environment.model_fields.keys(), rule


def test_environments_do_not_share_a_range_or_a_name(environments: Path) -> None:
    dev, prod = load_environment("dev", environments), load_environment("prod", environments)
    inside = dev.network.model_copy(
        update={
            "cidr": prod.network.cidr.supernet().supernet(),
            "pod_cidr": next(prod.network.pod_cidr.subnets()),
        }
    )
    wider = dev.model_copy(update={"network": inside, "access": prod.access})
    assert list(conflicts({"dev.yaml": wider, "prod.yaml": prod})) == [
        (
            "dev.yaml: network.cidr: 10.48.0.0/14 overlaps 10.48.0.0/16 of prod.yaml in 65,536 addresses; give each "
            "environment a range of its own"
        ),
        (
            "dev.yaml: network.pod_cidr: 100.66.0.0/17 overlaps 100.66.0.0/16 of prod.yaml in 32,768 addresses; give "
            "each environment a range of its own"
        ),
        (
            "dev.yaml: access.domain_name: ml.example.com is that of prod.yaml, too; give each environment a name of "
            "its own"
        ),
    ]


def test_the_environments_of_this_project_do_not_conflict(environments: Path) -> None:
    all_of_them = {name: load_environment(name, environments) for name in environment_names(environments)}
    assert len(all_of_them) == 3
    assert list(conflicts(all_of_them)) == []


def test_an_account_has_so_many_job_queues(environments: Path) -> None:
    prod = load_environment("prod", environments)
    quota = next(iter(prod.projects[0].domains.values()))
    all_domains = dict.fromkeys(("development", "staging", "production"), quota)
    project = prod.projects[0].model_copy(update={"domains": all_domains})
    # 3 domains with 8 queues of people, 3 of Flyte and 1 of ingest, each.
    many = prod.model_copy(update={"projects": (project,)})
    files = {"one.yaml": many, "two.yaml": many}
    (line,) = [line for line in conflicts(files) if "job queues" in line]
    assert line == (
        "account 777788889999 would have 72 AWS Batch job queues in us-east-1 (36 of one.yaml and 36 of two.yaml), and "
        "AWS allows 50; leave out batch.arm, batch.gpu or a domain, or take an account of its own for each"
    )
    elsewhere = {"one.yaml": many, "two.yaml": many.model_copy(update={"region": "us-west-2"})}
    assert [line for line in conflicts(elsewhere) if "job queues" in line] == []


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_job_queues_are_counted_as_they_are_made(environments: Path, name: str) -> None:
    environment = load_environment(name, environments)
    made = len(kinds(environment)) + len(flyte_kinds(environment)) + 1
    assert environment.batch.queues_of_a_domain == made
