"""The Alarms stack: what must not go unnoticed."""

from datetime import timedelta

from constructs import Construct

from aerodrome_constructs.alerts import Comparison, MetricAlarm, MetricAlarmProps
from aerodrome_stacks.alerts_stack import AlertsPorts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import max_connections, memory_gib

_GIB = 2**30
# RDS lets storage grow once less than a tenth is free, and then not again for six hours (User Guide, "Managing capacity
# automatically with Amazon RDS storage autoscaling"). Below this share it has not helped, or may not.
_FREE_STORAGE = 0.05
# What all clients together are kept to, by `aerodrome check`: beyond it, somebody connects who was not counted.
_CONNECTIONS = 0.8
_BUSY_PERCENT = 90


class AlarmsStack(AerodromeStack):
    """Alarms on the database, on which everything else waits."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, alerts: AlertsPorts) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="CloudWatch alarms on the database: storage, connections, CPU",
        )
        self._alerts = alerts
        database = environment.database
        self._database_alarm(
            "DatabaseStorage",
            "database-storage",
            metric_name="FreeStorageSpace",
            comparison="LessThanThreshold",
            threshold=_FREE_STORAGE * database.storage_gib * _GIB,
            meaning=f"The database has less than {_FREE_STORAGE:.0%} of its first {database.storage_gib} GiB free. "
            "When it is full, it stops.",
        )
        # Where the class's memory is not known, `aerodrome check` refuses it.
        if memory := memory_gib(database.instance_class):
            accepted = max_connections(memory)
            self._database_alarm(
                "DatabaseConnections",
                "database-connections",
                metric_name="DatabaseConnections",
                comparison="GreaterThanThreshold",
                threshold=_CONNECTIONS * accepted,
                meaning=f"More than {_CONNECTIONS:.0%} of the {accepted} connections of the database are taken. When "
                "all are, Flyte and MLflow fail.",
            )
        self._database_alarm(
            "DatabaseCpu",
            "database-cpu",
            metric_name="CPUUtilization",
            comparison="GreaterThanThreshold",
            threshold=_BUSY_PERCENT,
            meaning=f"The database's CPU has been above {_BUSY_PERCENT} % for half an hour. Flyte is slow.",
            period=timedelta(minutes=10),
        )

    def _database_alarm(
        self,
        construct_id: str,
        slug: str,
        *,
        metric_name: str,
        comparison: Comparison,
        threshold: float,
        meaning: str,
        period: timedelta = timedelta(minutes=5),
    ) -> None:
        MetricAlarm(
            self,
            construct_id,
            MetricAlarmProps(
                name=f"{self.prefix}-{slug}",
                meaning=meaning,
                runbook=f"runbooks/{slug}.md",
                namespace="AWS/RDS",
                metric_name=metric_name,
                # The name that DatabaseStack chooses. A test holds the two together.
                dimensions={"DBInstanceIdentifier": f"{self.prefix}-database"},
                statistic="Average",
                period=period,
                periods=3,
                comparison=comparison,
                threshold=threshold,
                topic=self._alerts.topic,
            ),
        )
