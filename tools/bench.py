"""Measures the project and writes docs/performance.md: ``make bench``.

Every synth runs in a fresh process, as it does for a user. The synths are measured in rounds, one of each, so that a
slow spell of the machine meets all of them alike.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from aerodrome.embedded_aws import EmbeddedAws, EmbeddedAwsError, run_embedded_aws
from aerodrome.project import PROJECT, NotInstalledError
from aerodrome.try_out import deploy
from aerodrome_local.assembly import read_assembly
from aerodrome_local.cloudformation import DeployError
from aerodrome_local.deploy import deploy_assembly
from aerodrome_stacks.environment import environment_names
from bench_connector import measure_connector
from bench_jobs import measure_jobs

PAGE = PROJECT.root / "docs" / "performance.md"
ENVIRONMENTS = environment_names(PROJECT.environments)
KIB_PER_MIB = 1024
SECONDS_BETWEEN_SAMPLES = 0.05
MEMORY_RUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Synth:
    """An app synthesized in a fresh process.

    Attributes:
        name: What the page calls it.
        app: Its function, as the pytest plugin's option ``cdk_app`` names it.
        variants: What the function is called with, one after the other.
    """

    name: str
    app: str
    variants: Sequence[str]

    def command(self, outdir: Path) -> list[str]:
        """The command that writes the assemblies, assets included, below a folder."""
        program = [sys.executable, "-m", "pytest_cdk.synth", f"--app={self.app}", f"--root={PROJECT.root}"]
        return [*program, f"--cdk-json={PROJECT.root / 'cdk.json'}", f"--outdir={outdir}", *self.variants]


FLOOR = Synth(
    name="The floor: import the CDK modules that we use, synthesize an empty stack",
    app="tools/bench_floor.py:build",
    variants=("Empty",),
)
ONE = Synth(name="Synthesize one environment, dev", app="app.py:build", variants=("dev",))
ALL = Synth(name=f"Synthesize all {len(ENVIRONMENTS)} in one process", app="app.py:build", variants=ENVIRONMENTS)
SYNTHS = (FLOOR, ONE, ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Something that was timed.

    Attributes:
        name: What the page calls it.
        seconds: The wall time of each run.
        at_most_ratio: The target as a ratio to the floor, if there is one.
        at_most_seconds: The target in seconds, if there is one.
    """

    name: str
    seconds: Sequence[float]
    at_most_ratio: float | None = None
    at_most_seconds: float | None = None

    @property
    def median(self) -> float:
        """The median of the runs, in seconds."""
        return statistics.median(self.seconds)

    def row(self, floor: float) -> str:
        """The measure as a row of the page's table, beside its target."""
        ratio = self.median / floor
        target, met = "", ""
        if self.at_most_ratio is not None:
            target, met = f"{self.at_most_ratio:g}x", mark(ratio, self.at_most_ratio)
        elif self.at_most_seconds is not None:
            target, met = f"{self.at_most_seconds:g} s", mark(self.median, self.at_most_seconds)
        spread = f"{min(self.seconds):.2f} to {max(self.seconds):.2f}" if len(self.seconds) > 1 else ""
        return f"| {self.name} | {self.median:.2f} | {spread} | {len(self.seconds)} | {ratio:.2f}x | {target} | {met} |"


def mark(value: float, at_most: float) -> str:
    """Say whether a target is met."""
    return "yes" if value <= at_most else "**no**"


def synth_variables() -> dict[str, str]:
    """The variables of a synth: the project's own node, and no validation of templates, which no target includes."""
    return PROJECT.environment_variables() | {"CDK_VALIDATION": "false"}


def plain_variables() -> dict[str, str]:
    """The variables of whoever types a command in a checkout: without what make and the project's own python added."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    path = [folder for folder in others.get("PATH", os.defpath).split(os.pathsep) if Path(folder) != PROJECT.tools]
    return others | {"PATH": os.pathsep.join(path)}


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path = PROJECT.root,
    variables: Callable[[], dict[str, str]] = synth_variables,
) -> float:
    """Run a command to its end and return its wall time in seconds.

    Raises:
        SystemExit: It failed; with the end of what it printed.
    """
    start = time.perf_counter()
    process = subprocess.run(
        command, cwd=cwd, env=variables(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if process.returncode:
        output = "".join((process.stdout + process.stderr).splitlines(keepends=True)[-40:])
        sys.exit(f"bench: this failed: {' '.join(map(str, command))}\n{output}")
    return seconds


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for the time of a measure."""
    with tempfile.TemporaryDirectory(prefix="aerodrome-bench-") as name:
        yield Path(name)


def measure_synths(runs: int) -> list[Measure]:
    """Time the synths, and work out what each further environment costs."""
    seconds: dict[str, list[float]] = {synth.name: [] for synth in SYNTHS}
    for number in range(runs + 1):
        for synth in SYNTHS:
            with folder() as outdir:
                took = run(synth.command(outdir))
            if number > 0:  # the first round fills the caches of jsii and Python
                seconds[synth.name].append(took)
    further = [
        (everything - one) / (len(ENVIRONMENTS) - 1)
        for everything, one in zip(seconds[ALL.name], seconds[ONE.name], strict=True)
    ]
    return [
        Measure(name=FLOOR.name, seconds=seconds[FLOOR.name]),
        Measure(name=ONE.name, seconds=seconds[ONE.name], at_most_ratio=1.5),
        Measure(name=ALL.name, seconds=seconds[ALL.name], at_most_ratio=2),
        Measure(name="Each further environment in that process", seconds=further, at_most_seconds=0.5),
    ]


def measure_memory() -> str:
    """Measure the peak memory of each synth, python and node together, as rows of the page's table.

    Separate from the times: sampling costs time. The proportional set size counts a page that two processes share once.
    """
    rows = []
    for synth in SYNTHS:
        peaks = []
        for _ in range(MEMORY_RUNS):
            with (
                folder() as outdir,
                subprocess.Popen(
                    synth.command(outdir), cwd=PROJECT.root, env=synth_variables(), stdout=subprocess.DEVNULL
                ) as process,
            ):
                peak = 0
                while process.poll() is None:
                    peak = max(peak, proportional_set_size(process.pid))
                    time.sleep(SECONDS_BETWEEN_SAMPLES)
                if process.returncode:
                    sys.exit(f"bench: {synth.name}: failed with status {process.returncode}")
            peaks.append(peak / KIB_PER_MIB)
        rows.append(f"| {synth.name} | {statistics.median(peaks):.0f} | {min(peaks):.0f} to {max(peaks):.0f} |")
    return "\n".join(rows)


def proportional_set_size(pid: int) -> int:
    """The memory of a process and everything that it started, in KiB. Linux only; a process that ends counts as 0."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    own = next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return own + sum(proportional_set_size(int(child)) for child in children)


def count_resources() -> str:
    """Count the stacks and resources of every environment, as rows of the page's table."""
    rows = []
    with folder() as outdir:
        run(ALL.command(outdir))
        for name in ENVIRONMENTS:
            texts = [path.read_text(encoding="utf-8") for path in (outdir / name).glob("*.template.json")]
            resources = sum(len(json.loads(text)["Resources"]) for text in texts)
            largest = max(len(text.encode()) for text in texts) / KIB_PER_MIB
            rows.append(f"| {name} | {len(texts)} | {resources} | {largest:.0f} |")
    return "\n".join(rows)


@contextmanager
def embedded_aws(assembly: Path) -> Iterator[EmbeddedAws]:
    """A new embedded AWS, in the account and region of an assembly, for the time of a measure."""
    stack = read_assembly(assembly)[0]
    with folder() as state_dir:
        try:
            endpoint = json.loads(run_embedded_aws("up", state_dir / "local", "--json"))["endpoint"]
            yield EmbeddedAws(endpoint=endpoint, account=stack.account, region=stack.region)
        finally:
            run_embedded_aws("down", state_dir / "local")


def measure_deploys(runs: int) -> list[Measure]:
    """Time a first deploy of dev to a new embedded AWS, by boto3 and by the CDK CLI, and the CLI's second deploy."""
    boto3, cli, again = [], [], []
    with folder() as outdir:
        run(ONE.command(outdir))
        assembly, log = outdir / "dev", outdir / "deploy.log"
        for _ in range(runs):
            with embedded_aws(assembly) as aws:
                boto3.append(timed(partial(deploy_assembly, assembly, aws.endpoint)))
            with embedded_aws(assembly) as aws:
                deploy.bootstrap(aws, assembly, log)
                cli.append(timed(partial(deploy.deploy, aws, assembly, log, print)))
                again.append(timed(partial(deploy.deploy, aws, assembly, log, print)))
    return [
        Measure(name="Deploy dev to the embedded AWS by boto3, bootstrap included", seconds=boto3, at_most_seconds=10),
        Measure(name="Deploy dev to the embedded AWS by the CDK CLI, 8 stacks at a time", seconds=cli),
        Measure(name="The same again, without a change", seconds=again),
    ]


def measure_ingest() -> str:
    """Measure the way from S3 through AWS Batch to S3, as rows of the page's table."""
    with folder() as outdir:
        run(ONE.command(outdir))
        with embedded_aws(outdir / "dev") as aws:
            return "\n".join(measure_jobs(aws, outdir / "dev"))


def timed(action: Callable[[], object]) -> float:
    """Return the wall time of an action in seconds."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure_suite(runs: int) -> list[Measure]:
    """Time ``make test`` once installed, and once from a clean clone of the last commit, downloads included."""
    installed = [run(["make", "test"], variables=plain_variables) for _ in range(runs)]
    with folder() as parent:
        run(["git", "clone", "--quiet", PROJECT.root, parent / "clone"])
        clone = [run(["make", "test"], cwd=parent / "clone", variables=plain_variables)]
    return [
        Measure(name="`make test`, once installed", seconds=installed, at_most_seconds=180),
        Measure(name="`make test` from a clean clone, installation included", seconds=clone, at_most_seconds=360),
    ]


def machine() -> str:
    """The facts without which no number here means anything."""
    models = (line.split(": ")[1] for line in _lines("/proc/cpuinfo") if line.startswith("model name"))
    cpu = next(models, platform.processor() or platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    node = subprocess.run(
        [PROJECT.tools / "node", "--version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    cli = json.loads((PROJECT.root / "package.json").read_text(encoding="utf-8"))["devDependencies"]["aws-cdk"]
    return "\n".join(
        [
            f"- {cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}",
            f"- Python {platform.python_version()}, node {node}, aws-cdk-lib {version('aws-cdk-lib')}, CDK CLI {cli}",
            f"- {datetime.now(UTC):%Y-%m-%d}, load {os.getloadavg()[0]:.1f} before the first measure",
        ]
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def page(measures: Sequence[Measure], facts: str, *, memory: str, jobs: str, connector: str, resources: str) -> str:
    """Write the page."""
    floor = measures[0].median
    rows = "\n".join(measure.row(floor) for measure in measures)
    return f"""# Performance

Written by `make bench`, which measures everything again and replaces this page. Seconds are of one machine; what lasts
is the ratio to the floor, which any CDK app in Python with these imports pays. The validation of templates is off in
every synth here (`CDK_VALIDATION=false`).

{facts}

## Time

| what | median, s | range, s | runs | to the floor | at most | met |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
{rows}

## Jobs

From S3 through EventBridge and AWS Batch to S3, on the embedded AWS: from the first input to the last output. Each job
is a process that reads a CSV file and writes a profile of it; nearly all of its time is the start of Python and boto3,
so jobs a second are those of this machine's cores. What carries over to AWS is the number of SubmitJob calls, of which
an account has [50 a second](explanation/batch-scale.md).

| what | s | jobs | jobs a second | SubmitJob calls | calls a job |
| --- | ---: | ---: | ---: | ---: | ---: |
{jobs}

## Connector

{connector}

## Peak memory

Proportional set size of python and node together.

| what | median, MiB | range, MiB |
| --- | ---: | ---: |
{memory}

## Size

| environment | stacks | resources | largest template, KiB |
| --- | ---: | ---: | ---: |
{resources}
"""


def main() -> None:
    """Measure everything and replace docs/performance.md. With a count of 0 the page goes without those rows."""
    parser = argparse.ArgumentParser(prog="make bench", description=main.__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each synth")
    parser.add_argument("--deploys", type=int, default=3, help="runs of each deploy")
    parser.add_argument("--suites", type=int, default=3, help="runs of `make test` once installed")
    arguments = parser.parse_args()
    facts, measures = machine(), measure_synths(arguments.runs)
    memory, jobs, connector, resources = measure_memory(), measure_ingest(), measure_connector(), count_resources()
    if arguments.deploys:
        measures += measure_deploys(arguments.deploys)
    if arguments.suites:
        measures += measure_suite(arguments.suites)
    written = page(measures, facts, memory=memory, jobs=jobs, connector=connector, resources=resources)
    PAGE.write_text(written, encoding="utf-8")
    print(f"{PAGE.relative_to(PROJECT.root)} is written")


if __name__ == "__main__":
    # Whoever ends the bench ends the embedded AWS that it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"bench: ended by signal {signal.SIGTERM}"))
    try:
        main()
    except (NotInstalledError, EmbeddedAwsError, deploy.CdkError, DeployError) as error:
        sys.exit(f"bench: {error}")
