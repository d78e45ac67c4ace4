"""Tells people of backups that did not happen: what fails in the night is missed on the day it is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_backup as backup
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.escape_hatch import resource_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFailuresProps:
    """What telling of failed backups needs to know.

    Attributes:
        vault: The vault whose jobs are watched.
        topic: Who is told. Its policy, and that of its key, must let EventBridge and AWS Backup publish.
        copy_to: The ARN of the vault that backups are copied to. None: they are not.
    """

    vault: backup.BackupVault
    topic: sns.ITopic
    copy_to: str | None = None


class BackupFailures(Construct):
    """Tells a topic of backups and copies that failed, and of objects that a backup left out.

    A backup of a bucket ends well although some of its objects could not be read. Of that, AWS Backup tells the
    vault's own topic alone; of jobs that fail, EventBridge
    (https://docs.aws.amazon.com/aws-backup/latest/devguide/eventbridge.html).
    """

    def __init__(self, scope: Construct, construct_id: str, props: BackupFailuresProps) -> None:
        super().__init__(scope, construct_id)
        topic_arn = props.topic.topic_arn
        resource_of(
            props.vault, backup.CfnBackupVault
        ).notifications = backup.CfnBackupVault.NotificationObjectTypeProperty(
            backup_vault_events=["S3_BACKUP_OBJECT_FAILED"], sns_topic_arn=topic_arn
        )
        self._rule(
            "Backups",
            "Backup Job State Change",
            {"state": ["ABORTED", "EXPIRED", "FAILED"], "backupVaultArn": [props.vault.backup_vault_arn]},
            topic_arn,
        )
        if props.copy_to:
            self._rule(
                "Copies",
                "Copy Job State Change",
                {"state": ["FAILED"], "destinationBackupVaultArn": [props.copy_to]},
                topic_arn,
            )

    def _rule(self, construct_id: str, detail_type: str, detail: Mapping[str, Sequence[str]], topic_arn: str) -> None:
        # The L2's target would write into the topic's policy, which another stack has and which allows it already.
        events.CfnRule(
            self,
            construct_id,
            description=f"AWS Backup: {detail_type} to {', '.join(detail['state'])}",
            event_pattern={"source": ["aws.backup"], "detail-type": [detail_type], "detail": dict(detail)},
            targets=[events.CfnRule.TargetProperty(arn=topic_arn, id="Alerts")],
        )
