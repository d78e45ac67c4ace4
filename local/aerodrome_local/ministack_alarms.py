"""What the embedded AWS changes in MiniStack's CloudWatch, with the private names that it takes.

As for :mod:`aerodrome_local.ministack_private`, none of these is a stable interface.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

_OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")


def keep_alarms_on_expressions(queries: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> None:
    """Make CloudFormation take an alarm with ``Metrics``, which MiniStack refuses. No state is worked out for it.

    Args:
        queries: Makes the alarm's ``Metrics``, as DescribeAlarms shows them, of a template's properties.
    """
    record = provisioners._cw_metric_alarm_record  # noqa: SLF001 - see the module docstring

    def record_of_either(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        if not properties.get("Metrics"):
            alarm: dict[str, Any] = record(name, properties)
            return alarm
        of_one = {**properties, "Metrics": None, "MetricName": "expression", "Namespace": "expression"}
        alarm = {key: value for key, value in record(name, of_one).items() if key not in _OF_ONE_METRIC}
        return {**alarm, "Metrics": queries(properties)}

    provisioners._cw_metric_alarm_record = record_of_either  # noqa: SLF001 - see the module docstring


def alarms_look_at_their_dimensions() -> None:
    """Make an alarm look at the metric with its own dimensions. MiniStack's looks at all of the same name together."""
    evaluate = cloudwatch._evaluate_alarm  # noqa: SLF001 - see the module docstring

    def evaluate_own(alarm: dict[str, Any]) -> None:
        dimensions = cloudwatch._dims_from_list(alarm.get("Dimensions") or [])  # noqa: SLF001 - see the module docstring
        own = cloudwatch._dims_key(dimensions)  # noqa: SLF001 - see the module docstring
        everything = cloudwatch._metrics  # noqa: SLF001 - see the module docstring
        found = {key: points for key, points in everything.items() if key[2] == own}
        # The same code, for which there are no other metrics: nobody else sees the module's own table change.
        FunctionType(evaluate.__code__, {**vars(cloudwatch), "_metrics": found})(alarm)

    cloudwatch._evaluate_alarm = evaluate_own  # noqa: SLF001 - see the module docstring
