"""The Alarms stack: what must not go unnoticed."""

from datetime import timedelta

from constructs import Construct

from aerodrome_constructs.alerts import (
    Comparison,
    Metric,
    MetricAlarm,
    MetricAlarmProps,
    function_errors,
    messages_in,
)
from aerodrome_constructs.encryption import KeyWatch, KeyWatchProps
from aerodrome_stacks.alerts_stack import AlertsPorts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import max_connections, memory_gib
from aerodrome_stacks.keys_stack import KeysPorts

_GIB = 2**30
# RDS lets storage grow once less than a tenth is free, and then not again for six hours (User Guide, "Managing capacity
# automatically with Amazon RDS storage autoscaling"). Below this share it has not helped, or may not.
_FREE_STORAGE = 0.05
# What all clients together are kept to, by `aerodrome check`: beyond it, somebody connects who was not counted.
_CONNECTIONS = 0.8
_BUSY_PERCENT = 90


class AlarmsStack(AerodromeStack):
    """Alarms on the database, on which everything else waits; on what goes wrong where nobody looks; on the keys.

    They know by name what other stacks make, and stay quiet until it is there.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        alerts: AlertsPorts,
        keys: KeysPorts,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Alarms on the database, passwords that do not change, interruptions, cleaning and lost keys",
        )
        self._alerts = alerts
        self._watch_database(environment)
        if environment.database.password_rotation is not None:
            self._watch_password_rotation()
        self._watch_interruptions()
        self._watch_job_definition_cleaner()
        KeyWatch(
            self,
            "Keys",
            KeyWatchProps(
                name=f"{self.prefix}-key-about-to-go",
                keys=[keys.data, keys.logs, keys.secrets, keys.cluster, keys.backup, keys.alerts],
                topic=alerts.topic,
                runbook="runbooks/key-about-to-go.md",
            ),
        )

    def _watch_database(self, environment: Environment) -> None:
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
        self._alarm(
            construct_id,
            slug,
            # The name that DatabaseStack chooses. A test holds the two together, here and below.
            metric=Metric("AWS/RDS", metric_name, {"DBInstanceIdentifier": f"{self.prefix}-database"}, "Average"),
            meaning=meaning,
            period=period,
            periods=3,
            comparison=comparison,
            threshold=threshold,
        )

    def _watch_password_rotation(self) -> None:
        self._alarm(
            "PasswordRotation",
            "password-rotation-failed",
            metric=function_errors(f"{self.prefix}-password-rotation"),
            meaning="The rotation of a database password failed. Clients go on with the one that they have.",
            # The next password that changes without an error would end it, whichever failed before.
            tell_when_over=False,
        )

    def _watch_job_definition_cleaner(self) -> None:
        self._alarm(
            "JobDefinitionCleaner",
            "job-definition-cleaner-failed",
            metric=function_errors(f"{self.prefix}-job-definition-cleaner"),
            meaning="Revisions of job definitions that Flyte left behind could not be deregistered. Jobs run on.",
            # A night, with Lambda's two retries of what it could not do, rings once.
            period=timedelta(hours=1),
        )

    def _watch_interruptions(self) -> None:
        slug = "interruptions-unhandled"
        self._alarm(
            "Interruptions",
            slug,
            metric=messages_in(f"{self.prefix}-{slug}"),
            meaning="Karpenter took a message about an instance five times and could not deal with it: pods may have "
            "gone with their node.",
        )

    def _alarm(
        self,
        construct_id: str,
        slug: str,
        *,
        metric: Metric,
        meaning: str,
        period: timedelta = timedelta(minutes=5),
        periods: int = 1,
        comparison: Comparison = "GreaterThanThreshold",
        threshold: float = 0,
        tell_when_over: bool = True,
    ) -> None:
        MetricAlarm(
            self,
            construct_id,
            MetricAlarmProps(
                name=f"{self.prefix}-{slug}",
                meaning=meaning,
                runbook=f"runbooks/{slug}.md",
                metric=metric,
                period=period,
                periods=periods,
                comparison=comparison,
                threshold=threshold,
                topic=self._alerts.topic,
                tell_when_over=tell_when_over,
            ),
        )
