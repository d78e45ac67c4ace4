"""The series that dashboards and alarms read."""

import inspect
import re

from prometheus_client import CollectorRegistry, generate_latest

from flytekit_aws_batch.core import metrics
from flytekit_aws_batch.core.metrics import Metrics, process_metrics


def series() -> dict[str, set[str]]:
    """The series of a registry with their labels, as Prometheus knows them."""
    made = Metrics(CollectorRegistry())
    found = {}
    for metric in vars(made).values():
        [described] = metric.describe()
        suffix = "_total" if described.type == "counter" else ""
        found[f"{described.name}{suffix}"] = set(metric._labelnames)  # noqa: SLF001 - it tells them in no other way
    return found


def test_the_list_at_the_top_of_the_file_is_what_there_is() -> None:
    listed = {
        name: set(filter(None, re.split(r",\s*", labels or "")))
        for name, labels in re.findall(r"``(flyte_aws_batch_\w+)(?:\{([\w, ]+)\})?``", metrics.__doc__ or "")
    }
    assert len(listed) > 15, "the listing is broken"
    assert listed == series()


def test_every_series_is_explained_and_seconds_are_called_so() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    text = generate_latest(registry).decode()
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert kinds.keys() <= helps.keys()
    for name, kind in kinds.items():
        assert helps[name]
        if kind == "histogram":
            assert name.endswith("_seconds")
            assert helps[name].endswith(" in seconds")


def test_every_attribute_is_documented() -> None:
    documented = set(re.findall(r"^ {4}(\w+): ", inspect.getdoc(Metrics) or "", re.MULTILINE))
    assert documented == {*vars(Metrics(CollectorRegistry())), "registry"}


def test_a_process_has_them_once() -> None:
    assert process_metrics() is process_metrics()
