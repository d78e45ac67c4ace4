"""Measures the connector of AWS Batch, for the section of docs/performance.md: by itself it prints that section."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from aerodrome_local.testing import EmbeddedAws
from connector_day import MIX, Job, Watched, jobs_of, watched_by_connector, watched_by_plugin
from connector_memory import KINDS, LIVE, ROUNDS, Held
from connector_overhead import Began, Overhead, measure

HOURS = 6
LOADS = (2_500, 250)
"""Jobs that are submitted in those hours."""

PLATFORM_SECONDS, FLYTE_SECONDS = 10, 30
"""How often flytepropeller asks after a live task: as the platform sets it, and by default."""

MS, MIB = 1000, 1024**2
NOISE = MIB // 10

LATE = ("start is late, median s", "end is late, median s", "95 % of ends within, s")
CPU = ("CPU s, submissions", "CPU s, asked of Batch", "CPU s, from memory")


def measure_connector() -> str:
    """Measure everything, and write the section."""
    calls = [row for load in LOADS for row in call_rows(jobs_of(HOURS, load))]
    return section(calls, overhead_rows(_overhead()), [held_row(kind, _held(kind)) for kind in KINDS])


def call_rows(jobs: Sequence[Job]) -> Iterator[str]:
    """Watch the same jobs in each way, as rows."""
    plugin = watched_by_plugin(jobs)
    yield _call_row(jobs, "the plugin, every 30 s", plugin, plugin)
    yield _call_row(jobs, "the same, with its look at each new job", watched_by_plugin(jobs, first_looks=True), plugin)
    for events in (False, True):
        for seconds in (FLYTE_SECONDS, PLATFORM_SECONDS):
            watched = watched_by_connector(jobs, every_seconds=seconds, events=events)
            how = f"the connector{' with events' if events else ''}, asked every {seconds} s"
            yield _call_row(jobs, how, watched, plugin)


def _call_row(jobs: Sequence[Job], who: str, watched: Watched, plugin: Watched) -> str:
    a_job, a_call = watched.calls / len(jobs), watched.asked / watched.calls
    late = " | ".join(f"{seconds:.0f}" for seconds in watched.late())
    ratio = watched.calls / plugin.calls
    return f"| {len(jobs):,} | {who} | {watched.calls:,} | {a_job:.2f} | {a_call:.1f} | {ratio:.2f}x | {late} |"


def _overhead() -> Overhead:
    with tempfile.TemporaryDirectory(prefix="aerodrome-bench-") as folder:
        embedded = EmbeddedAws.start(Path(folder) / "local")
        try:
            return measure(embedded)
        finally:
            embedded.stop()


def overhead_rows(overhead: Overhead) -> list[str]:
    """The times and calls of submissions, as rows."""
    first = overhead.first
    end = overhead.further[-1].end_calls
    return [
        _overhead_row("SubmitJob alone", overhead.plain),
        _overhead_row("the connector", overhead.further),
        f"| what it adds, median of the pairs |  | {overhead.added * MS:.0f} |  |",
        _overhead_row("the connector, the first job of a shape", [first]),
        f"| the connector, asked after the job's end |  |  | {_listed(end)} |",
    ]


def _overhead_row(what: str, jobs: Sequence[Began]) -> str:
    answered = statistics.median(job.answered for job in jobs) * MS
    started = statistics.median(job.started for job in jobs) * MS
    return f"| {what} | {answered:.0f} | {started:.0f} | {_listed(jobs[-1].calls)} |"


def _listed(calls: Counter[str]) -> str:
    """Such as ``5: 3 PutObject, HeadObject, SubmitJob``."""
    named = (f"{count} {name}" if count > 1 else name for name, count in sorted(calls.items()) if count)
    return f"{calls.total()}: {', '.join(named)}"


def _held(kind: str) -> Held:
    program = [sys.executable, str(Path(__file__).with_name("connector_memory.py")), kind]
    process = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(f"bench: the connector's memory could not be measured:\n{process.stderr}")
    return Held(**json.loads(process.stdout))


def held_row(kind: str, held: Held) -> str:
    """What it takes to hold live jobs, as a row."""
    what = f"{LIVE:,} tasks of a job each" if kind == "jobs" else f"one task with a list of {LIVE:,}"
    gained = held.polled - held.before
    # What the allocator and the garbage collector do is more than less than that.
    sizes = f"{gained / MIB:.1f} | {gained / LIVE:,.0f}" if gained > NOISE else "under 0.1 | under 10"
    cpu = (held.start_cpu, statistics.median(held.asked_cpu), statistics.median(held.memory_cpu))
    seconds = " | ".join(f"{each:.2f}" for each in cpu)
    return f"| {what} | {held.before / MIB:.0f} | {sizes} | {seconds} |"


def _mix() -> str:
    kinds = (f"{kind.share:.0%} wait {kind.waits / 60:.0f} min and run {kind.runs / 60:.0f} min" for kind in MIX)
    return ", ".join(kinds).replace("%", " %")


def section(calls: Iterable[str], overhead: Iterable[str], held: Iterable[str]) -> str:
    """Write the section, without its heading."""
    return f"""How it works: [the connector for AWS Batch](explanation/batch-connector.md).

**Calls of DescribeJobs**, counted on a simulated clock: every run makes the same ones. Within {HOURS} hours
workflows of ten tasks begin at any time, and all jobs are watched to their end: {_mix()} (medians).
The plugin is counted by its source: every 30 s all live jobs, two IDs a job, 100 IDs a call; beside, it looks at each
new job by itself. The connector's poller is the real one, asked as flytepropeller asks. A state is late until
flytepropeller's cache has it; from there the plugin wakes the workflow, while what a connector says waits for the
workflow's next round.

{_header("jobs", "who asks", "calls", "calls a job", "IDs a call", "to the plugin", *LATE)}
| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{_table(calls)}

**Submission** of the job `true` on the embedded AWS, by turns: from the request to its answer, and to the start of the
container. What carries over to AWS is the number of calls, made one after the other.

{_header("what", "answer, median ms", "start, median ms", "calls of AWS")}
| --- | ---: | ---: | --- |
{_table(overhead)}

**{LIVE:,} live jobs**, with a simulated AWS: the proportional set size of a fresh process before, and after all were
submitted and asked for ten times; the CPU seconds of all submissions, and of asking once for each, median of
{ROUNDS} rounds. What botocore and gRPC take is not in it.

{_header("what", "before, MiB", "gained, MiB", "bytes a job", *CPU)}
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{_table(held)}"""


def _header(*headings: str) -> str:
    return f"| {' | '.join(headings)} |"


def _table(rows: Iterable[str]) -> str:
    return "\n".join(rows)


if __name__ == "__main__":
    print(f"## Connector\n\n{measure_connector()}")
