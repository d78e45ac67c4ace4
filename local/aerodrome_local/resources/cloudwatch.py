"""Amazon CloudWatch: alarms on expressions, which MiniStack refuses, and alarms that look at their own metric only.

An alarm on an expression is kept and shown as it was made, and stays at INSUFFICIENT_DATA: nothing works it out here.
"""

from typing import Any

from aerodrome_local.ministack_alarms import alarms_look_at_their_dimensions, keep_alarms_on_expressions
from aerodrome_local.resources.conversion import boolean
from aerodrome_local.runtime import Properties, Runtime


def install(_runtime: Runtime) -> None:
    """Change what MiniStack makes of alarms."""
    keep_alarms_on_expressions(_queries)
    alarms_look_at_their_dimensions()


def _queries(properties: Properties) -> list[dict[str, Any]]:
    """The template's queries as DescribeAlarms shows them: numbers as numbers, not as the text that they may be."""
    return [_query(dict(one)) for one in properties.get("Metrics") or []]


def _query(query: dict[str, Any]) -> dict[str, Any]:
    if "ReturnData" in query:
        query["ReturnData"] = boolean(query["ReturnData"])
    if "MetricStat" in query:
        query["MetricStat"] = {**query["MetricStat"], "Period": int(query["MetricStat"]["Period"])}
    return query
