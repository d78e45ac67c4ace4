"""How people are told that something needs them."""

from aerodrome_constructs.alerts.alarm import Comparison, MetricAlarm, MetricAlarmProps
from aerodrome_constructs.alerts.call_watch import CallWatch, CallWatchProps
from aerodrome_constructs.alerts.math_alarm import MathAlarm, MathAlarmProps, Metric
from aerodrome_constructs.alerts.topic import AlertTopic, AlertTopicProps, publishing_statement

__all__ = [
    "AlertTopic",
    "AlertTopicProps",
    "CallWatch",
    "CallWatchProps",
    "Comparison",
    "MathAlarm",
    "MathAlarmProps",
    "Metric",
    "MetricAlarm",
    "MetricAlarmProps",
    "publishing_statement",
]
