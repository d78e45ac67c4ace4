"""The budget of connections, and the regions whose databases can be verified."""

import importlib.resources
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from aerodrome_stacks.certificate_authorities import KEYS, ca_bundle, common_name, regions
from aerodrome_stacks.environment import connections
from aerodrome_stacks.environment.aws import REGIONS
from aerodrome_stacks.environment.connections import Clients, clients_of, max_connections, memory_gib
from aerodrome_stacks.environment.flyte import FlyteLoad

Problems = Callable[..., list[str]]

# The regions that are newer than the package that the roots come from. AWS's own bundle has them.
WITHOUT_ROOTS = {
    *("ap-east-2", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7"),
    *("ca-west-1", "il-central-1", "mx-central-1"),
}


@pytest.fixture(scope="module")
def offered() -> set[str]:
    """The classes that RDS offers for PostgreSQL in any region, as cfn-lint takes them from RDS."""
    schemas = importlib.resources.files("cfnlint.data.schemas.extensions.aws_rds_dbinstance")
    by_region = json.loads((schemas / "dbinstanceclass_enum.json").read_text(encoding="utf-8"))
    found = {
        instance_class
        for region in by_region.values()
        for case in region["allOf"]
        if case["if"]["properties"].get("Engine") == {"const": "postgres"}
        for instance_class in case["then"]["properties"]["DBInstanceClass"]["enum"]
    }
    assert len(found) > 200
    return found


@pytest.mark.parametrize(
    ("instance_class", "gib"),
    [
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html
        ("db.t4g.micro", 1),
        ("db.t4g.medium", 4),
        ("db.t3.2xlarge", 32),
        ("db.m7g.large", 8),
        ("db.m7g.xlarge", 16),
        ("db.m5.24xlarge", 384),
        ("db.r6gd.2xlarge", 64),
        ("db.x2g.large", 32),
        ("db.x2iedn.xlarge", 128),
        ("db.c6gd.medium", 2),
        ("db.x1e.xlarge", None),
        ("db.r4.large", None),
    ],
)
def test_a_class_tells_its_memory(instance_class: str, gib: int | None) -> None:
    assert memory_gib(instance_class) == gib


def test_every_class_of_today_tells_its_memory(offered: set[str]) -> None:
    # The first four generations, which PostgreSQL 16 does not run on.
    former = ("db.m1.", "db.m2.", "db.m3.", "db.m4.", "db.r3.", "db.r4.", "db.t1.")
    today = {name for name in offered if not name.startswith(former) and len(name.split(".")) == 3}
    assert len(today) > 150
    assert sorted(name for name in today if memory_gib(name) is None) == []


def test_no_class_is_given_more_connections_than_rds_would() -> None:
    # RDS: LEAST({DBInstanceClassMemory/9531392}, 5000); of the memory PostgreSQL gets nine tenths at the least.
    sizes = [1, 2, 4, 8, 16, 32, 64, 128, 1024]
    numbers = [max_connections(memory) for memory in sizes]
    assert numbers[:4] == [100, 200, 400, 800]
    assert all(few <= many for few, many in pairwise(numbers))
    assert [
        number for memory, number in zip(sizes, numbers, strict=True) if number > 0.9 * memory * 2**30 / 9531392
    ] == []
    assert max(numbers) == 5000


def test_the_smallest_class_that_fits_passes_and_the_next_smaller_does_not(problems: Problems) -> None:
    assert problems({"database.instance_class": "db.t4g.medium"}) == []
    assert problems({"database.instance_class": "db.t4g.small"}) == [
        (
            "database.instance_class: db.t4g.small has 2 GiB and so accepts 200 connections (100 for each GiB), of "
            "which clients may take 80%, 160; they take up to 277: 80 flyteadmin (8 pods x 10) + 20 flytescheduler (2 "
            "pods x 10) + 20 syncresources (2 pods x 10) + 40 datacatalog (4 pods x 10) + 112 mlflow (4 pods x 28) + 5 "
            "functions; name a class with at least 4 GiB"
        )
    ]


@pytest.mark.parametrize(("more", "refused"), [(21, []), (22, ["database.instance_class"])])
def test_one_connection_makes_the_difference(
    problems: Problems, monkeypatch: pytest.MonkeyPatch, more: int, refused: list[str]
) -> None:
    # 277 of 320 are taken; a pod more counts twice, for the time when it is replaced.
    another = Clients(name="another", replicas=1, connections=more)

    def with_another(load: FlyteLoad) -> tuple[Clients, ...]:
        return (*clients_of(load), another)

    monkeypatch.setattr(connections, "clients_of", with_another)
    lines = problems({"database.instance_class": "db.t4g.medium"})
    assert [line.partition(":")[0] for line in lines] == refused


def test_a_class_of_unknown_memory_is_refused(problems: Problems) -> None:
    assert problems({"database.instance_class": "db.x1e.xlarge"}) == [
        (
            "database.instance_class: db.x1e.xlarge: its memory is not known, and so not how many connections it can "
            "have; name a class of the families t3, t4g, m5 to m9, r5 to r9, c5 to c9 or x2"
        )
    ]


def test_a_region_whose_databases_cannot_be_verified_is_refused(problems: Problems) -> None:
    assert [line for line in problems({"region": "il-central-1"}) if line.startswith("region:")] == [
        (
            "region: il-central-1: the certificate authorities of its databases are not in "
            "stacks/aerodrome_stacks/rds_ca, and no client connects to what it cannot verify; download AWS's "
            "global-bundle.pem and run tools/rds_ca.py"
        )
    ]


def test_every_region_has_its_roots_but_those_that_the_package_does_not_know() -> None:
    assert regions() <= set(REGIONS)
    assert set(REGIONS) - regions() == WITHOUT_ROOTS
    with pytest.raises(ValueError, match="RDS in il-central-1 are not in rds_ca/"):
        ca_bundle("il-central-1")


@pytest.mark.parametrize("region", sorted(regions()))
def test_a_regions_file_holds_its_own_three_roots_and_nothing_else(region: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(ca_bundle(region)))
    certificates = context.get_ca_certs()
    names = [pair[1] for each in certificates for part in each["subject"] for pair in part if pair[0] == "commonName"]

    assert sorted(names) == sorted(common_name(region, key) for key in KEYS)
    assert ca_bundle(region).read_text(encoding="ascii").count("BEGIN CERTIFICATE") == len(KEYS)
    for certificate in certificates:
        assert certificate["issuer"] == certificate["subject"]
        # Made in 2021 and later, for 40 and for 100 years.
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
        assert ends.year >= 2061
