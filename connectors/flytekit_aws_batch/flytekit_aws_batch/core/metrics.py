"""What the connector counts of itself.

Dashboards and alarms read these series; whoever renames one looks there, too:

- ``flyte_aws_batch_api_calls_total{operation, result}``, ``flyte_aws_batch_api_retries_total{operation}``
- ``flyte_aws_batch_api_seconds{operation}``, ``flyte_aws_batch_api_wait_seconds{group}``
- ``flyte_aws_batch_described_jobs_total``, ``flyte_aws_batch_polls_total{answer}``, ``flyte_aws_batch_watched_jobs``
- ``flyte_aws_batch_jobs{state, reason}``
- ``flyte_aws_batch_events_total{result}``, ``flyte_aws_batch_events_well``
- ``flyte_aws_batch_submits_total{result}``, ``flyte_aws_batch_runs_total{phase}``, ``flyte_aws_batch_start_seconds``
- ``flyte_aws_batch_refused_total``, ``flyte_aws_batch_adopted_total``, ``flyte_aws_batch_taken_over_total``
- ``flyte_aws_batch_waves_total{because}``, ``flyte_aws_batch_stops_total``
"""

import functools

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class Metrics:
    """The series, registered once in a registry.

    Args:
        registry: Where they are collected from. Default: the process's own, which flytekit's service exposes.

    Attributes:
        calls: Calls of AWS's API. ``result`` is ``ok`` or a :class:`~flytekit_aws_batch.core.aws.CallError`'s kind.
        retries: Those that were tried once more.
        call_seconds: How long they took.
        wait_seconds: How long they waited for the connector's own limits.
        described: Jobs asked for in calls of DescribeJobs.
        polls: Questions after a job. ``answer`` is ``memory``, ``asked``, or ``stale`` when Batch did not answer.
        watched: Jobs in memory.
        jobs: Jobs that have not ended. ``state`` is Batch's; ``reason`` is what a RUNNABLE one waits for: ``queue``,
            ``capacity``, ``misconfiguration`` or ``other``, else empty.
        events: State changes from the queue: ``taken``, ``stale`` (out of order or of a job not watched, deleted),
            ``released`` for another reader, ``unreadable``.
        events_well: 1 while state changes come from the queue.
        submits: Submissions: ``submitted``, ``found`` (there already), ``throttled``, ``in_doubt``, ``refused``,
            ``undefined`` (its job definition was not known yet, or not any more).
        runs: Runs that ended, by phase.
        start_seconds: From the connector's first sight of a run to its submission.
        refused: Runs that were refused before anything was submitted.
        adopted: Runs that took over the job of an earlier attempt that was still alive.
        taken_over: Submissions that were finished for a connector that did not.
        waves: Submissions after a run's first: ``reclaimed``, ``failed`` or ``concurrency``.
        stops: Runs that were stopped.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"flyte_aws_batch_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"flyte_aws_batch_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"flyte_aws_batch_{name}", text, labels, registry=registry, buckets=_SECONDS)

        self.calls = counter("api_calls_total", "Calls of AWS's API, tries counted one by one", "operation", "result")
        self.retries = counter("api_retries_total", "Calls of AWS's API that were tried once more", "operation")
        self.call_seconds = histogram("api_seconds", "Duration of a try of AWS's API in seconds", "operation")
        self.wait_seconds = histogram("api_wait_seconds", "Wait for the connector's own limit in seconds", "group")
        self.described = counter("described_jobs_total", "Jobs asked for in calls of DescribeJobs")
        self.polls = counter("polls_total", "Questions after a job, by where the answer came from", "answer")
        self.watched = gauge("watched_jobs", "Jobs in memory, those that have ended included")
        self.jobs = gauge("jobs", "Jobs that have not ended, elements of arrays one by one", "state", "reason")
        self.events = counter("events_total", "State changes received from the queue", "result")
        self.events_well = gauge("events_well", "1 while state changes are received from the queue")
        self.submits = counter("submits_total", "Submissions, by what became of them", "result")
        self.runs = counter("runs_total", "Runs that ended, by phase", "phase")
        self.start_seconds = histogram("start_seconds", "From a run's first sight to its submission in seconds")
        self.refused = counter("refused_total", "Runs refused before anything was submitted")
        self.adopted = counter("adopted_total", "Runs that took over the living job of an earlier attempt")
        self.taken_over = counter("taken_over_total", "Submissions finished for a connector that did not")
        self.waves = counter("waves_total", "Submissions after a run's first", "because")
        self.stops = counter("stops_total", "Runs that were stopped")


@functools.cache
def process_metrics() -> Metrics:
    """The series of this process, in prometheus_client's own registry."""
    return Metrics()
