"""The example workflow as somebody runs it on a laptop: its heavy tasks are jobs of the embedded AWS.

pyflyte has the connector for AWS Batch in its own process. Inputs and outputs go through S3, the search is one array,
and what a run has computed is cached for the next.
"""

import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aerodrome.flyte_runs import RAW_OUTPUT, FlyteRuns
from aerodrome.project import PROJECT
from aerodrome.try_out.job import JobError
from aerodrome.try_out.programs import run_logged
from flytekit_aws_batch.common import LOCAL_EXECUTION

if TYPE_CHECKING:
    from types_boto3_batch.type_defs import JobSummaryTypeDef, KeyValuesPairTypeDef

FILE: Final = "workflows/aerodrome_workflows/fraud_detection/training.py"
WORKFLOW: Final = "train_fraud_model"
CANDIDATES: Final = 4
# Small enough that starting Python takes most of the time.
_ARGUMENTS: Final = ("--transactions", "4000", "--search", str(CANDIDATES), "--rounds", "20", "--least_roc_auc", "0.5")
# pyflyte prints where it has put the workflow's output.
_OUTPUT: Final = "/release.json"
_TAIL: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a run of the workflow did.

    Attributes:
        verdict: What its last task wrote about the model: that it was released, how good it is, and where it is.
        jobs: Of each job that it started the size of its array, or 1, the largest first.
    """

    verdict: Mapping[str, Any]
    jobs: tuple[int, ...]


def is_installed() -> bool:
    """Whether flytekit is: it takes no Python above 3.12, and this machine may have none."""
    return _pyflyte().exists()


def run(runs: FlyteRuns, folder: Path, log: Path, on_line: Callable[[str], None]) -> Ran:
    """Run the workflow, and wait for its end.

    Args:
        runs: How to run tasks on the platform.
        folder: Where the connector's settings and pyflyte's cache are kept: as long as what the cache refers to in S3.
        log: The file that gets pyflyte's output.
        on_line: Called with each line of it.

    Raises:
        JobError: It failed.
    """
    before = {job["jobId"] for job in _jobs(runs)}
    variables = _variables(runs, folder)
    command: list[str | Path] = [
        _pyflyte(),
        "run",
        "--raw-output-data-prefix",
        variables[RAW_OUTPUT],
        FILE,
        WORKFLOW,
        *_ARGUMENTS,
    ]
    # pyflyte ends its jobs at SIGINT, and at nothing else.
    status = run_logged(command, variables=variables, log=log, on_line=on_line, asking=signal.SIGINT)
    lines = log.read_text(encoding="utf-8").splitlines()
    outputs = [line.strip() for line in lines if line.strip().endswith(_OUTPUT)]
    if status != 0 or not outputs:
        shown = "\n".join(lines[-_TAIL:])
        raise JobError(f"the workflow {WORKFLOW} failed; the end of {log}:\n{shown}")
    started = [job for job in _jobs(runs) if job["jobId"] not in before]
    return Ran(
        verdict=json.loads(Path(outputs[-1]).read_text(encoding="utf-8")),
        jobs=tuple(sorted((job.get("arrayProperties", {}).get("size", 1) for job in started), reverse=True)),
    )


def _pyflyte() -> Path:
    return PROJECT.flytekit_tools / "pyflyte"


def _variables(runs: FlyteRuns, folder: Path) -> Mapping[str, str]:
    home, tmp = folder / "home", folder / "tmp"
    for needed in (home, tmp):
        needed.mkdir(parents=True, exist_ok=True)
    return {
        **runs.aws.environment_variables(),
        **runs.variables(runs.write(folder)),
        # flytekit keeps its cache there, and has no other setting for it.
        "HOME": str(home),
        # What tasks write that run in pyflyte itself stays there, and the cache knows it by its path.
        "TMPDIR": str(tmp),
    }


def _jobs(runs: FlyteRuns) -> "list[JobSummaryTypeDef]":
    """The jobs of local runs, in all queues that tasks of the domain may wait in."""
    batch = runs.aws.batch
    filters: list[KeyValuesPairTypeDef] = [{"name": "JOB_NAME", "values": [f"{LOCAL_EXECUTION}*"]}]
    return [
        job
        for queue in runs.settings["queues"][runs.domain]
        for page in batch.get_paginator("list_jobs").paginate(jobQueue=queue["arn"], filters=filters)
        for job in page["jobSummaryList"]
    ]
