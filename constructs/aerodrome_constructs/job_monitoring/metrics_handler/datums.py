"""Values on their way to CloudWatch: added up by metric and minute, so that a batch of thousands is a call or two."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from aerodrome_constructs.job_monitoring.metrics_handler.names import ENVIRONMENT, NAMESPACE, UNITS

_VALUES_A_DATUM = 150
# PutMetricData takes 1,000 data points and 1 MB. A data point with 150 values has up to 4 KB.
# (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html)
_DATUMS_A_CALL = 250

_Key = tuple[str, tuple[tuple[str, str], ...], datetime]


class Datums:
    """Data points of one environment.

    Args:
        environment: The environment's name, which is a dimension of every metric.
    """

    def __init__(self, environment: str) -> None:
        self._environment = environment
        self._totals: dict[_Key, float] = {}
        self._values: dict[_Key, Counter[float]] = {}

    def add(self, name: str, amount: float, time: datetime, dimensions: Mapping[str, str]) -> None:
        """Add to a sum. An amount of 0 puts a 0 where there would be nothing, which a rate cannot be made of."""
        key = self._key(name, time, dimensions)
        self._totals[key] = self._totals.get(key, 0.0) + amount

    def observe(self, name: str, value: float, time: datetime, dimensions: Mapping[str, str]) -> None:
        """Add one value of many, of which CloudWatch makes averages and percentiles. It is rounded to a whole one."""
        self._values.setdefault(self._key(name, time, dimensions), Counter())[float(round(value))] += 1

    def _key(self, name: str, time: datetime, dimensions: Mapping[str, str]) -> _Key:
        return name, ((ENVIRONMENT, self._environment), *sorted(dimensions.items())), time

    def _datums(self) -> Iterator[dict[str, Any]]:
        for key, total in self._totals.items():
            yield {**_head(key), "Value": total}
        for key, values in self._values.items():
            pairs = iter(sorted(values.items()))
            while some := list(islice(pairs, _VALUES_A_DATUM)):
                yield {
                    **_head(key),
                    "Values": [value for value, _ in some],
                    "Counts": [float(count) for _, count in some],
                }

    def put(self, client: Any) -> None:  # noqa: ANN401 - boto3 makes the class at run time
        """Put everything, in as few calls as CloudWatch takes.

        Args:
            client: CloudWatch.
        """
        datums = self._datums()
        while some := list(islice(datums, _DATUMS_A_CALL)):
            client.put_metric_data(Namespace=NAMESPACE, MetricData=some)


def _head(key: _Key) -> dict[str, Any]:
    name, dimensions, time = key
    return {
        "MetricName": name,
        "Dimensions": [{"Name": dimension, "Value": value} for dimension, value in dimensions],
        "Timestamp": time,
        "Unit": UNITS[name],
    }
