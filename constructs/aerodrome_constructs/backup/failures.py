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
        runbook: The page that says what to do, from the root of this repository.
        copy_to: The ARN of the vault that backups are copied to. None: they are not.
    """

    vault: backup.BackupVault
    topic: sns.ITopic
    runbook: str
    copy_to: str | None = None


class BackupFailures(Construct):
    """Tells a topic of backups and copies that failed, and of objects that a backup left out.

    A backup of a bucket ends well although some of its objects could not be read. Of that, AWS Backup tells the
    vault's own topic alone, in its own words; of jobs that fail, EventBridge
    (https://docs.aws.amazon.com/aws-backup/latest/devguide/eventbridge.html).
    """

    def __init__(self, scope: Construct, construct_id: str, props: BackupFailuresProps) -> None:
        super().__init__(scope, construct_id)
        topic_arn = props.topic.topic_arn
        self._runbook = props.runbook
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
            job="backupJobId",
            told="The backup job <job> of <resource> ended as <state>",
        )
        if props.copy_to:
            self._rule(
                "Copies",
                "Copy Job State Change",
                {"state": ["FAILED"], "destinationBackupVaultArn": [props.copy_to]},
                topic_arn,
                job="copyJobId",
                told="The job <job>, which copies a backup of <resource>, ended as <state>",
            )

    def _rule(
        self,
        construct_id: str,
        detail_type: str,
        detail: Mapping[str, Sequence[str]],
        topic_arn: str,
        *,
        job: str,
        told: str,
    ) -> None:
        # The L2's target would write into the topic's policy, which another stack has and which allows it already.
        events.CfnRule(
            self,
            construct_id,
            description=f"AWS Backup: {detail_type} to {', '.join(detail['state'])}",
            event_pattern={"source": ["aws.backup"], "detail-type": [detail_type], "detail": dict(detail)},
            targets=[
                events.CfnRule.TargetProperty(
                    arn=topic_arn,
                    id="Alerts",
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_paths_map={
                            "job": f"$.detail.{job}",
                            "resource": "$.detail.resourceArn",
                            "state": "$.detail.state",
                        },
                        # In quotes, as a template that is not JSON must be. Why it failed is left to the page: the
                        # message of AWS Backup has quotes of its own, which would break it.
                        input_template=f'"{told}. What to do: {self._runbook}"',
                    ),
                )
            ],
        )
