"""Whoever tries tasks of Flyte 2 on AWS Batch: an account with a queue, and a folder to type commands in."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import copy
from typing import Any

from aerodrome_local.testing import EmbeddedAws

EXAMPLE = Path(__file__).parent / "example" / "batch_tasks.py"
# Flyte's commands are beside the interpreter; jobs find them there, too.
COMMANDS = Path(sys.executable).parent
ACCOUNT = "181818181818"
QUEUE = "flyte2"
BUCKET = "flyte2-data"


@dataclass(frozen=True)
class Account:
    """The account that the tests are in.

    Attributes:
        variables: The way to it, for whoever speaks AWS.
    """

    aws: EmbeddedAws
    variables: dict[str, str]

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self.aws.client(service, ACCOUNT)

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs that there ever were, as DescribeJobs tells of them."""
        batch = self.client("batch")
        # Without a filter ListJobs tells of running jobs only (https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html).
        asked = {"jobQueue": QUEUE, "filters": [{"name": "AFTER_CREATED_AT", "values": ["0"]}]}
        found = [
            each["jobId"]
            for page in batch.get_paginator("list_jobs").paginate(**asked)
            for each in page["jobSummaryList"]
        ]
        return list(batch.describe_jobs(jobs=found)["jobs"]) if found else []


@dataclass(frozen=True)
class Run:
    """What `flyte run` came to.

    Attributes:
        succeeded: Whether it says so.
        text: What it printed, without colours and frames.
    """

    succeeded: bool
    text: str


class Laptop:
    """A folder with the example, where somebody types commands."""

    def __init__(self, folder: Path, account: Account) -> None:
        self._folder = folder
        self._account = account
        copy(EXAMPLE, folder)

    def run(self, task: str, *arguments: str, raw_data: str | None = f"s3://{BUCKET}/raw") -> Run:
        """`flyte run --local`.

        Args:
            task: The task's name.
            arguments: Its inputs, as options.
            raw_data: Where its data goes. None: to this machine.
        """
        where = () if raw_data is None else ("--raw-data-path", raw_data)
        result = subprocess.run(
            [COMMANDS / "flyte", "run", "--local", *where, EXAMPLE.name, task, *arguments],
            cwd=self._folder,
            # A home of its own for Flyte's cache; wide lines; and no report of a crash to its makers.
            env={
                **os.environ,
                **self._account.variables,
                "HOME": str(self._folder),
                "TMPDIR": str(self._folder),
                "COLUMNS": "1000",
                "NO_COLOR": "1",
                "DO_NOT_TRACK": "1",
            },
            check=False,
            capture_output=True,
            text=True,
        )
        text = re.sub(r"\x1b\[[0-9;]*m|[─│╭╮╰╯]", "", result.stdout + result.stderr)
        return Run(result.returncode == 0, text)
