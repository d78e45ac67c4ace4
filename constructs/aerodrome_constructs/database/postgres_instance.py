"""RDS for PostgreSQL as the platform wants it: private, encrypted, TLS only, backed up, protected and retained."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from aerodrome_constructs.identity import allow, service_role
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import DATABASE_MULTI_AZ

PORT = 5433
"""The port that clients connect to. Not PostgreSQL's own, 5432, which is what a scan of a network tries first."""

ENGINE_VERSION = rds.PostgresEngineVersion.of("16.14", "16")
"""A version that RDS offers: it is in the list of engine versions that cfn-lint 1.58 takes from RDS. PostgreSQL's own
wheels for the embedded AWS have the same one. RDS moves it on to later minor versions by itself."""

MASTER_USERNAME = "platform_admin"

MASTER_SECRET_TAG: Final = ("aerodrome:secret", "master")
"""Key and value of a tag of the master user's secret, by which policies keep away whoever may read many secrets."""

_LOG_EXPORTS = ("postgresql", "upgrade")
_MASTER_PASSWORD_LENGTH = 40

# In UTC, one after the other with an hour between: RDS refuses a maintenance window that overlaps the backup's, and
# what it does in either is not in the way of the rotation of passwords, which begins at midnight.
_BACKUP_WINDOW = "02:00-03:00"
_MAINTENANCE_WINDOW = "sun:04:00-sun:05:00"

# Seconds between two measurements of the operating system: one minute is a tenth of the log volume of ten seconds.
_MONITORING_INTERVAL = cdk.Duration.seconds(60)

# shared_buffers, maintenance_work_mem and the number of autovacuum workers RDS sizes by the class by itself (User
# Guide, "Working with parameters on your RDS for PostgreSQL DB instance"). RDS works out formulas in {} when it starts
# the instance, from the memory that the class leaves to PostgreSQL, in bytes.
_PARAMETERS: Final = {
    # --- Who gets in
    # A client that does not encrypt is refused, not warned.
    "rds.force_ssl": "1",
    # MD5 would do as a password's verifier otherwise; clients and functions speak SCRAM.
    "rds.accepted_password_auth_method": "scram",
    "password_encryption": "scram-sha-256",
    # --- Memory and storage
    # What the planner may expect of the operating system's cache, in blocks of 8 KiB: three quarters of the memory, of
    # which PostgreSQL's own buffers are one. RDS's default is half.
    "effective_cache_size": "{DBInstanceClassMemory*3/32768}",
    # For one sort, in KiB. PostgreSQL's 4 MB is the default at every size; this is 8 MB in 4 GiB, 32 MB in 16 GiB and
    # at most 64 MB, so that 76 sorts at once, a quarter of what the platform's clients can open, take a sixth of the
    # memory.
    "work_mem": "LEAST({DBInstanceClassMemory/524288},65536)",
    # gp3 reads from anywhere nearly as fast as in order. The default, 4, is a disk's.
    "random_page_cost": "1.1",
    # --- What must not go on for ever, in milliseconds
    # A transaction that its client forgot keeps vacuum from cleaning up after everybody else. RDS's default is a day.
    "idle_in_transaction_session_timeout": "600000",
    # --- What the log tells: who came, what was slow and why, what changed, and no row's contents
    "log_connections": "1",
    "log_disconnections": "1",
    "log_min_duration_statement": "1000",
    "log_lock_waits": "1",
    # A sort that did not fit into work_mem, from this size on, in KiB.
    "log_temp_files": "65536",
    "log_statement": "ddl",
    # With a slow statement PostgreSQL would log the values that were bound to it: they are the platform's users' data.
    "log_parameter_max_length": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresInstanceProps:
    """What a PostgreSQL instance needs to know.

    Attributes:
        identifier: The instance's name in its account and region. As the instance has a name of its own, CloudFormation
            refuses a change that would replace it.
        vpc: The VPC that it is in.
        subnets: Its subnets there, in two zones at least, with no way in or out of the VPC.
        instance_type: Its class, without the leading ``db.``.
        storage_gib: The storage that it starts with, in GiB. gp3 takes 20 and more.
        max_storage_gib: What the storage may grow to by itself, in GiB: at least 10 % more than ``storage_gib``. None:
            it does not grow.
        multi_az: Whether a standby in another zone takes over when the instance fails.
        max_connections: The most connections at once. More than the memory of its class bears end with the instance.
        backup_retention: How far back it can be restored to any point in time, in whole days: 1 to 35.
        data_key: The key that encrypts its storage, snapshots and Performance Insights.
        secrets_key: The key that encrypts the master user's secret.
        log_key: The key that encrypts its logs. Its policy must let CloudWatch Logs of the region use it.
        log_retention: How long its logs are kept.
    """

    identifier: str
    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    instance_type: ec2.InstanceType
    storage_gib: int
    max_storage_gib: int | None
    multi_az: bool
    max_connections: int
    backup_retention: timedelta
    data_key: kms.IKey
    secrets_key: kms.IKey
    log_key: kms.IKey
    log_retention: logs.RetentionDays


class PostgresInstance(Construct):
    """A PostgreSQL instance that nobody can reach until :meth:`allow_from` says so. It stays when its stack goes.

    Attributes:
        instance: The instance.
        security_group: The security group that it is in. It has no rule but those of :meth:`allow_from`.
        master_secret: The master user's name and password, with the address to use them at.
    """

    def __init__(self, scope: Construct, construct_id: str, props: PostgresInstanceProps) -> None:
        super().__init__(scope, construct_id)
        self.security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=props.vpc, description=f"PostgreSQL {props.identifier}", allow_all_outbound=False
        )
        # What the retained instance is in and uses stays with it: AWS would refuse to delete it anyway.
        self.security_group.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        engine = rds.DatabaseInstanceEngine.postgres(version=ENGINE_VERSION)
        self.instance = rds.DatabaseInstance(
            self,
            "Resource",
            instance_identifier=props.identifier,
            engine=engine,
            parameter_group=rds.ParameterGroup(
                self,
                "Parameters",
                engine=engine,
                description=f"Parameters of {props.identifier}",
                parameters={**_PARAMETERS, "max_connections": str(props.max_connections)},
                removal_policy=cdk.RemovalPolicy.RETAIN,
            ),
            auto_minor_version_upgrade=True,
            preferred_maintenance_window=_MAINTENANCE_WINDOW,
            vpc=props.vpc,
            subnet_group=rds.SubnetGroup(
                self,
                "Subnets",
                description=f"Subnets of {props.identifier}",
                vpc=props.vpc,
                vpc_subnets=props.subnets,
                removal_policy=cdk.RemovalPolicy.RETAIN,
            ),
            security_groups=[self.security_group],
            publicly_accessible=False,
            port=PORT,
            instance_type=props.instance_type,
            multi_az=props.multi_az,
            storage_type=rds.StorageType.GP3,
            allocated_storage=props.storage_gib,
            max_allocated_storage=props.max_storage_gib,
            storage_encrypted=True,
            storage_encryption_key=props.data_key,
            credentials=rds.Credentials.from_secret(self._master_secret(props)),
            # Flyte 1 can only log in with a password (flyteadmin/pkg/repositories/database.go).
            iam_authentication=False,
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
            preferred_backup_window=_BACKUP_WINDOW,
            backup_retention=cdk.Duration.days(props.backup_retention.days),
            copy_tags_to_snapshot=True,
            delete_automated_backups=False,
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
            enable_performance_insights=True,
            performance_insight_encryption_key=props.data_key,
            performance_insight_retention=rds.PerformanceInsightRetention.DEFAULT,
            monitoring_interval=_MONITORING_INTERVAL,
            monitoring_role=self._monitoring_role(props),
            cloudwatch_logs_exports=list(_LOG_EXPORTS),
        )
        self._keep_logs(props)
        if not props.multi_az:
            acknowledge(
                self.instance,
                DATABASE_MULTI_AZ,
                reason="it is made without a standby: when its zone fails, whoever needs it waits for a restore",
            )
        secret = self.instance.secret
        if secret is None:
            raise TypeError("the CDK made a database instance without the secret that it was given")
        self.master_secret = secret

    @property
    def host(self) -> str:
        """The name that clients connect to."""
        return self.instance.db_instance_endpoint_address

    def allow_from(self, clients: ec2.ISecurityGroup, description: str) -> None:
        """Let whatever carries a security group connect to the database.

        Args:
            clients: The security group. Its own rules say whether it may reach the port; they are not touched, so that
                the group may belong to a stack that this one needs.
            description: Who they are, as the console shows it beside the rule.
        """
        self.security_group.add_ingress_rule(clients, ec2.Port.tcp(PORT), description, remote_rule=False)

    def _monitoring_role(self, props: PostgresInstanceProps) -> iam.Role:
        # In place of AmazonRDSEnhancedMonitoringRole, which AWS may widen, and which any account's RDS might take.
        stack = cdk.Stack.of(self)
        source = stack.format_arn(
            service="rds",
            resource="db",
            resource_name=props.identifier,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        group = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name="RDSOSMetrics",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        # The name of the group is RDS's, one for all instances of an account and region.
        rights = [
            allow(["logs:CreateLogGroup", "logs:PutRetentionPolicy"], [group]),
            allow(
                ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents"],
                [f"{group}:log-stream:*"],
            ),
        ]
        return service_role(
            self,
            "MonitoringRole",
            service="monitoring.rds.amazonaws.com",
            description=f"Lets RDS write what the operating system of {props.identifier} reports",
            # RDS asks for them when it makes the instance, and refuses a role that does not have them yet.
            statements=rights,
            wildcards=["Resource::*:log-group:RDSOSMetrics:log-stream:[*]"],
            because="RDS names a log stream after the instance's own ID, which is not known before it is made",
            source_arn=source,
        )

    def _master_secret(self, props: PostgresInstanceProps) -> secretsmanager.ISecret:
        # The CDK's own secret for a database has punctuation, which breaks connection strings.
        secret = secretsmanager.Secret(
            self,
            "MasterSecret",
            description=f"Master user of {props.identifier}",
            encryption_key=props.secrets_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": MASTER_USERNAME}),
                generate_string_key="password",
                exclude_punctuation=True,
                password_length=_MASTER_PASSWORD_LENGTH,
            ),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        key, value = MASTER_SECRET_TAG
        cdk.Tags.of(secret).add(key, value)
        return secret

    def _keep_logs(self, props: PostgresInstanceProps) -> None:
        for export in _LOG_EXPORTS:
            # RDS would make these itself, unencrypted and for ever: they must be there before the instance is.
            group = logs.LogGroup(
                self,
                f"{export.capitalize()}Log",
                log_group_name=f"/aws/rds/instance/{props.identifier}/{export}",
                retention=props.log_retention,
                encryption_key=props.log_key,
                # Kept with the instance, but not when making it failed: the name would be taken at the next try.
                removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            )
            self.instance.node.add_dependency(group)
