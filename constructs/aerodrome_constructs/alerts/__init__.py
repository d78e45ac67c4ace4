"""How people are told that something needs them."""

from aerodrome_constructs.alerts.alarm import Comparison, MetricAlarm, MetricAlarmProps
from aerodrome_constructs.alerts.event_watch import API_CALL, EventWatch, EventWatchProps
from aerodrome_constructs.alerts.math_alarm import MathAlarm, MathAlarmProps
from aerodrome_constructs.alerts.metric import Metric, function_errors, messages_in
from aerodrome_constructs.alerts.topic import AlertTopic, AlertTopicProps, publishing_statement

__all__ = [
    "API_CALL",
    "AlertTopic",
    "AlertTopicProps",
    "Comparison",
    "EventWatch",
    "EventWatchProps",
    "MathAlarm",
    "MathAlarmProps",
    "Metric",
    "MetricAlarm",
    "MetricAlarmProps",
    "function_errors",
    "messages_in",
    "publishing_statement",
]
