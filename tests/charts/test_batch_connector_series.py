"""The series of the connector of AWS Batch: the list that dashboards and alerts are held against is what it exposes."""

from prometheus_client import CollectorRegistry

from flytekit_aws_batch.core.metrics import Metrics
from tests.charts.metric_names import exposed

_SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
}


def test_the_list_has_every_series_of_the_connector_and_no_other() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    made = {f"{family.name}{suffix}" for family in registry.collect() for suffix in _SUFFIXES[family.type]}

    assert made
    assert {name for name in exposed("connector-aws-batch") if name.startswith("flyte_aws_batch_")} == made
