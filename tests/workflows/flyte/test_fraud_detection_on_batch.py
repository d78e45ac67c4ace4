"""The example workflow from a laptop: its heavy tasks are jobs of the embedded AWS, and are not run twice."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from aerodrome_local.testing import EmbeddedAws
from tests.connectors.account_template import queue_settings
from tests.connectors.flytekit.laptop import ACCOUNT, BUCKET, COMMANDS, QUEUES, RESOURCES, Account

Command = Callable[..., CompletedProcess[str]]

FILE = "workflows/aerodrome_workflows/fraud_detection/training.py"
RAW_DATA = f"s3://{BUCKET}/fraud-detection/development"
SMALL = ("--transactions", "2000", "--search", "3", "--rounds", "10", "--least_roc_auc", "0.5")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An embedded AWS with queues and a bucket, and the variables that lead pyflyte there."""
    folder = tmp_path_factory.mktemp("account")
    aws = EmbeddedAws.start(folder / "aws", variables={"AERODROME_JOB_PATH": COMMANDS})
    aws.stack("fraud", ACCOUNT).deploy(RESOURCES)
    queues = queue_settings(aws.region, ACCOUNT, QUEUES)
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"queues": {"development": queues}, "freshest_seconds": 0.25}), "utf-8")
    (folder / "home").mkdir()
    variables = {
        **aws.variables(ACCOUNT),
        "FLYTEKIT_AWS_BATCH_CONFIG": str(settings),
        "FLYTE_AWS_BATCH_PROJECT": "fraud-detection",
        "FLYTE_AWS_BATCH_DOMAIN": "development",
        # What one run caches, the next one finds.
        "HOME": str(folder / "home"),
    }
    yield Account(aws, variables)
    aws.stop()


@pytest.fixture(scope="module")
def first(pyflyte: Command, account: Account) -> dict[str, Any]:
    """What a first run wrote of its model."""
    return trained(pyflyte, account)


def trained(pyflyte: Command, account: Account) -> dict[str, Any]:
    done = pyflyte("run", "--raw-output-data-prefix", RAW_DATA, FILE, "train_fraud_model", *SMALL, **account.variables)
    assert done.returncode == 0, done.stdout + done.stderr
    (place,) = (line.strip() for line in done.stdout.splitlines() if line.strip().endswith("/release.json"))
    return dict(json.loads(Path(place).read_text("utf-8")))


def objects(account: Account) -> set[str]:
    pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def test_the_search_is_an_array_and_the_training_a_job_and_what_they_make_is_in_s3(
    account: Account, first: dict[str, Any]
) -> None:
    jobs = account.jobs().values()
    sizes = {job.get("arrayProperties", {}).get("size", 1): job for job in jobs}
    assert (set(sizes), len(jobs)) == ({3, 1}, 2)
    assert {job["status"] for job in jobs} == {"SUCCEEDED"}
    assert {job["jobQueue"].rpartition("/")[2] for job in jobs} == {QUEUES["spot"]}
    assert [sizes[size]["tags"]["workload"] for size in (3, 1)] == ["fraud-search", "fraud-training"]
    assert first["released"] is True
    assert first["model"].startswith(f"{RAW_DATA}/")
    assert first["model"].removeprefix(f"s3://{BUCKET}/") in objects(account)
    assert any(key.endswith("/features.npz") for key in objects(account)), "the input went through S3, too"


def test_a_second_run_finds_it_all_and_starts_no_job(pyflyte: Command, account: Account, first: dict[str, Any]) -> None:
    jobs = set(account.jobs())
    assert trained(pyflyte, account) == first
    assert set(account.jobs()) == jobs
