"""What an environment may say of AWS Batch: kinds of capacity, shares, file systems."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aerodrome_stacks.environment.load import validate

Problems = Callable[..., list[str]]
LUSTRE = "is no size of FSx for Lustre: write 1200, or a multiple of 2400"


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"batch.lustre_gib": 1200}, []),
        ({"batch.lustre_gib": 2400}, []),
        ({"batch.lustre_gib": 7200}, []),
        ({"batch.lustre_gib": 1199}, ["batch.lustre_gib: 1199 is too small; 1,200 is the least"]),
        ({"batch.lustre_gib": 1201}, [f"batch.lustre_gib: 1,201 {LUSTRE}: 1200 or 2400"]),
        ({"batch.lustre_gib": 3600}, [f"batch.lustre_gib: 3,600 {LUSTRE}: 2400 or 4800"]),
        # A compute environment that cannot start its smallest instance.
        (
            {"batch.gpu": {"spot_vcpus": 3, "on_demand_vcpus": 4}},
            ["batch.gpu.spot_vcpus: 3 is too small; 4 is the least"],
        ),
        ({"batch.arm": {"spot_vcpus": 4}}, ["batch.arm.on_demand_vcpus: required, but not given"]),
        ({"batch.reserved_percent": 100}, ["batch.reserved_percent: 100 is too large; 99 is the most"]),
        ({"batch.efs": "yes"}, ['batch.efs: the text "yes" stands where true or false is expected; write true']),
        ({"projects[0].batch": ...}, ["projects[0].batch: required, but not given"]),
        ({"projects[0].batch": {"share": 2}}, ["projects[0].batch.daily_usd: required, but not given"]),
        (
            {"projects[0].batch": {"share": 0, "daily_usd": 1}},
            ["projects[0].batch.share: 0 is too small; 1 is the least"],
        ),
        (
            {"projects[0].batch": {"share": 101, "daily_usd": 1}},
            ["projects[0].batch.share: 101 is too large; 100 is the most"],
        ),
    ],
)
def test_what_is_refused(problems: Problems, changes: dict[str, Any], lines: list[str]) -> None:
    assert problems(changes) == lines


def test_what_is_left_out_costs_nothing(document: Callable[[str], dict[str, Any]]) -> None:
    batch = validate("dev", document("dev"), Path("dev.yaml")).batch
    assert (batch.arm, batch.gpu, batch.efs, batch.lustre_gib, batch.reserved_percent) == (None, None, False, None, 0)


def test_every_ceiling_counts(document: Callable[[str], dict[str, Any]]) -> None:
    batch = validate("prod", document("prod"), Path("prod.yaml")).batch
    assert batch.instance_ceilings == (1024, 256, 512, 128, 192, 96)
    assert batch.fargate_ceilings == (128, 128)
