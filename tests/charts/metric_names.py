"""The series that Prometheus has: which exporter exposes them, and what of ours has that exporter scraped."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import promql_parser

from tests.charts.deployed import DeployedRelease
from tests.charts.helm import Manifest

LISTS = Path(__file__).parent / "metrics"

# Prometheus makes these itself, of every scrape and of every alert.
OF_PROMETHEUS = frozenset({"up", "scrape_duration_seconds", "ALERTS"})


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a release that switches a scrape object of the chart on.

    Attributes:
        release: The release's name.
        path: The value's path.
        default: What it is where we do not set it.
    """

    release: str
    path: str
    default: bool = False

    def scraped(self, releases: Mapping[str, DeployedRelease]) -> bool:
        """Whether it is switched on."""
        value: object = releases[self.release].values
        for key in self.path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return self.default
            value = value[key]
        return value is True


@dataclass(frozen=True, slots=True)
class Made:
    """A scrape object of a chart of our own.

    Attributes:
        release: The release's name.
        kind: ``ServiceMonitor`` or ``PodMonitor``.
        name: The object's name.
    """

    release: str
    kind: str
    name: str

    def scraped(self, manifests: Sequence[Manifest]) -> bool:
        """Whether the release has it."""
        return any(one["kind"] == self.kind and one["metadata"]["name"] == self.name for one in manifests)


SCRAPED_BY: Mapping[str, Value | Made] = {
    "flyteadmin": Value("flyte", "flyteadmin.serviceMonitor.enabled"),
    "flytescheduler": Value("flyte", "flytescheduler.serviceMonitor.enabled"),
    "datacatalog": Value("flyte", "datacatalog.serviceMonitor.enabled"),
    "flytepropeller": Value("flyte", "flytepropeller.serviceMonitor.enabled"),
    "flyte-pod-webhook": Made("aerodrome-monitoring", "PodMonitor", "flyte-pod-webhook"),
    "syncresources": Made("aerodrome-monitoring", "PodMonitor", "syncresources"),
    "connector-aws-batch": Made("aerodrome-flyte", "PodMonitor", "connectors"),
    "karpenter": Made("aerodrome-monitoring", "PodMonitor", "karpenter"),
    "external-secrets": Made("aerodrome-monitoring", "PodMonitor", "external-secrets"),
    "aws-load-balancer-controller": Made("aerodrome-monitoring", "PodMonitor", "aws-load-balancer-controller"),
    "reloader": Made("aerodrome-monitoring", "PodMonitor", "reloader"),
    "external-dns": Made("aerodrome-monitoring", "PodMonitor", "external-dns"),
    "mlflow": Made("aerodrome-mlflow", "ServiceMonitor", "mlflow"),
    "oauth2-proxy": Made("aerodrome-mlflow", "PodMonitor", "mlflow-sign-on"),
    "yace": Made("aerodrome-cloudwatch-exporter", "ServiceMonitor", "cloudwatch-exporter"),
    "fluent-bit": Value("aws-for-fluent-bit", "serviceMonitor.enabled"),
    "kube-state-metrics": Value("kube-prometheus-stack", "kubeStateMetrics.enabled", default=True),
    "kubelet": Value("kube-prometheus-stack", "kubelet.enabled", default=True),
}
"""What has each exporter scraped. The names are those of the lists in ``metrics/``."""

JOBS = frozenset(
    {
        # By the name of the Service.
        *("flyteadmin", "flytescheduler", "datacatalog", "flytepropeller", "cloudwatch-exporter"),
        # By the label that the monitor names (jobLabel), or by its own relabelling.
        *("mlflow", "mlflow-sign-on", "aws-for-fluent-bit", "flyte-pod-webhook", "syncresources"),
        *("karpenter", "external-secrets", "aws-load-balancer-controller", "reloader", "external-dns"),
        "connector-aws-batch",
    }
)
"""The values of the label ``job`` that queries may ask for."""


@dataclass(frozen=True, slots=True)
class Selector:
    """What a query asks Prometheus for.

    Attributes:
        name: The name of the series.
        job: What it wants of the label ``job``, if anything.
    """

    name: str
    job: str | None


def selectors(expression: str) -> Iterator[Selector]:
    """Everything that a query asks for.

    Raises:
        ValueError: It is no PromQL, or asks for series without naming them.
    """
    found: list[promql_parser.VectorSelector] = []

    def note(node: promql_parser.Expr) -> None:
        # That of a range, too, stands in one of these.
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), note)
    for selector in found:
        if not selector.name:
            raise ValueError(f"{expression}: asks for series without naming them")
        jobs = [matcher.value for matcher in selector.matchers.matchers if matcher.name == "job"]
        yield Selector(selector.name, jobs[0] if jobs else None)


@cache
def exposed(exporter: str) -> frozenset[str]:
    """The names that an exporter exposes, ``*`` standing for what depends on projects or on a plugin."""
    return frozenset(line for line in _lines(exporter) if not line.startswith("#"))


def sources(exporter: str) -> list[str]:
    """Where the names were read."""
    return [line.removeprefix("# source ") for line in _lines(exporter) if line.startswith("# source ")]


def exporters_of(name: str) -> list[str]:
    """The exporters that expose a series."""
    return [exporter for exporter in SCRAPED_BY if any(_is(name, known) for known in exposed(exporter))]


def _is(name: str, known: str) -> bool:
    # A bracket means something to fnmatch, and stands in no name.
    return name == known or ("*" in known and fnmatchcase(name, known))


def _lines(exporter: str) -> list[str]:
    lines = (LISTS / f"{exporter}.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"# source .+|[a-zA-Z_:][a-zA-Z0-9_:*]*", line) for line in lines), exporter
    return lines
