"""How people are told that something needs them."""

from aerodrome_constructs.alerts.alarm import Comparison, MetricAlarm, MetricAlarmProps
from aerodrome_constructs.alerts.topic import AlertTopic, AlertTopicProps, publishing_statement

__all__ = ["AlertTopic", "AlertTopicProps", "Comparison", "MetricAlarm", "MetricAlarmProps", "publishing_statement"]
