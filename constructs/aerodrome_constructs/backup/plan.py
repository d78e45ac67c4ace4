"""What AWS Backup puts into a vault every day, and copies to another region."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from aws_cdk import aws_backup as backup
from aws_cdk import aws_iam as iam
from constructs import Construct

# A job that cannot start, as RDS is busy with a backup of its own, is tried again until this window is over.
_START_WITHIN = timedelta(hours=3)
# The first backup of a bucket copies every object, and takes as long as that takes: AWS's own default is a week.
_COMPLETE_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyBackupsProps:
    """What a plan for daily backups needs to know.

    Attributes:
        name: The plan's name.
        vault: Where the backups go.
        keep: How long each is kept, in whole days.
        hour: The hour of the day, UTC, 0 to 23. RDS refuses a backup in the hour before its backup and maintenance
            windows, and in them (https://docs.aws.amazon.com/aws-backup/latest/devguide/troubleshooting.html).
        resources: The ARNs of what is backed up.
        role: The role that does it.
        copy_to: The ARN of a vault in another region that each backup is copied to, to be kept as long. None: nowhere.
    """

    name: str
    vault: backup.IBackupVault
    keep: timedelta
    hour: int
    resources: Sequence[str]
    role: iam.IRole
    copy_to: str | None = None


class DailyBackups(Construct):
    """A plan that backs up named resources once a day.

    Resources are named by ARN and not by tag: a tag can be taken off by whoever may tag, and AWS Backup takes what is
    named even where an account has switched it off for that kind of resource
    (https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateRegionSettings.html).

    The backups are snapshots. AWS Backup could also take over the point-in-time recovery of a database; but then
    neither its retention nor its backup window could be set on the database any more
    (https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html), and RDS does it by itself. Of
    an S3 bucket, a continuous backup reaches back no further than 35 days, where versions do the same for less.
    None is moved to cold storage, which takes backups of neither RDS nor S3
    (https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-feature-availability.html).

    Attributes:
        plan: The plan.
    """

    def __init__(self, scope: Construct, construct_id: str, props: DailyBackupsProps) -> None:
        super().__init__(scope, construct_id)
        lifecycle = backup.CfnBackupPlan.LifecycleResourceTypeProperty(delete_after_days=props.keep.days)
        copies = [
            backup.CfnBackupPlan.CopyActionResourceTypeProperty(destination_backup_vault_arn=arn, lifecycle=lifecycle)
            for arn in ([props.copy_to] if props.copy_to else [])
        ]
        self.plan = backup.CfnBackupPlan(
            self,
            "Resource",
            backup_plan=backup.CfnBackupPlan.BackupPlanResourceTypeProperty(
                backup_plan_name=props.name,
                backup_plan_rule=[
                    backup.CfnBackupPlan.BackupRuleResourceTypeProperty(
                        rule_name="daily",
                        target_backup_vault=props.vault.backup_vault_name,
                        schedule_expression=f"cron(0 {props.hour} * * ? *)",
                        start_window_minutes=_START_WITHIN // timedelta(minutes=1),
                        completion_window_minutes=_COMPLETE_WITHIN // timedelta(minutes=1),
                        lifecycle=lifecycle,
                        copy_actions=copies or None,
                    )
                ],
            ),
        )
        backup.CfnBackupSelection(
            self,
            "Selection",
            backup_plan_id=self.plan.ref,
            backup_selection=backup.CfnBackupSelection.BackupSelectionResourceTypeProperty(
                selection_name=props.name, iam_role_arn=props.role.role_arn, resources=list(props.resources)
            ),
        )
