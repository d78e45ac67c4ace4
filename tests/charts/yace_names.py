"""The names that YACE gives to series of CloudWatch's metrics."""

from collections.abc import Iterator, Mapping
from typing import Any

_TO_UNDERSCORE = frozenset(" ,\t/\\.-:=@<>()“")

OWN = (
    "yace_cloudwatch_getmetricdata_metrics_requested_total",
    "yace_cloudwatch_request_errors",
    "yace_cloudwatch_requests_total",
)
"""What YACE tells of itself (``NewScrapeMetrics`` in pkg/promutil/prometheus.go), of what we look at."""


def series_names(values: Mapping[str, Any]) -> set[str]:
    """The names of all series that come of the values of ``charts/aerodrome-cloudwatch-exporter``."""
    return {series_name(job["namespace"], metric["name"], statistic) for job, metric, statistic in asked_for(values)}


def asked_for(values: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], str]]:
    """Each statistic of each metric of each job."""
    for job in (*values["static"], *values["customNamespace"]):
        for metric in job["metrics"]:
            for statistic in metric["statistics"]:
                yield job, metric, statistic


def series_name(namespace: str, metric: str, statistic: str) -> str:
    """The name of a series: ``BuildMetricName`` in pkg/promutil/migrate.go of YACE, tag v0.67.0.

    Args:
        namespace: The namespace of CloudWatch.
        metric: The metric's name there.
        statistic: The statistic, such as ``Average`` or ``p95``.
    """
    start = _snake_case(namespace.removeprefix("/").lower())
    name = _snake_case(metric)
    skipped = 0
    for part in start.split("_"):
        # A name that begins with a part of the namespace loses it.
        if name[skipped:].startswith(part):
            skipped = len(part)
    name = name[skipped:].removeprefix("_")
    return "_".join([*([] if start.startswith("aws") else ["aws"]), start, name, _snake_case(statistic)])


def _snake_case(text: str) -> str:
    written, before = "", ""
    for character in text:
        if character in _TO_UNDERSCORE:
            written += "_"
        elif character == "%":
            written += "_percent"
        else:
            if character.isupper() and (before.islower() or before.isdigit()):
                written += "_"
            written += character.lower()
        before = character
    return written
