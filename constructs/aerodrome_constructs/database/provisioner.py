"""Databases and their users in a PostgreSQL instance, made by a Lambda function on deploy."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from aerodrome_constructs.database import lambda_asset
from aerodrome_constructs.database.postgres_instance import PORT, PostgresInstance

PASSWORD_LENGTH = 40
"""40 of 62 letters and digits are 238 bits. No punctuation: Flyte puts the password into a DSN without quoting it."""

# A fresh instance may refuse for a while; three databases are made in a second.
_TIMEOUT = cdk.Duration.minutes(5)
# CloudFormation would wait an hour for a function that never answers.
_SERVICE_TIMEOUT = cdk.Duration.minutes(15)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUser:
    """A database with a user of its own.

    Attributes:
        database: The database's name.
        username: The user that owns it, and can do nothing else.
    """

    database: str
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseProvisionerProps:
    """What a database provisioner needs to know.

    Attributes:
        instance: The instance to make the databases in. The function is let in.
        users: The databases and their users, by client. A client's secret is named after it; one that goes from here
            leaves its database where it is.
        vpc: The VPC of the instance.
        subnets: Where the function runs: private, with a way to Secrets Manager and S3.
        secrets_key: The key that encrypts the users' secrets. The function may decrypt with it.
        log_key: The key that encrypts the function's log. Its policy must let CloudWatch Logs of the region use it.
        log_retention: How long the log is kept.
        ca_bundle: Certificate authorities, in PEM, to verify the instance's certificate against. None: the connection
            is encrypted, but not verified.
    """

    instance: PostgresInstance
    users: Mapping[str, DatabaseUser]
    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    secrets_key: kms.IKey
    log_key: kms.IKey
    log_retention: logs.RetentionDays
    ca_bundle: Path | None = None


class DatabaseProvisioner(Construct):
    """Makes each database and its user when the stack is deployed. Deleting it deletes no database.

    The function answers CloudFormation itself. It runs again when a client is added, renamed or removed, and when the
    instance has another address; running again changes nothing that is already right.

    Attributes:
        secrets: The users' secrets by client: JSON with ``engine``, ``host``, ``port``, ``dbname``, ``username`` and
            ``password``.
        resource: The custom resource. What needs the databases to exist depends on it.
    """

    def __init__(self, scope: Construct, construct_id: str, props: DatabaseProvisionerProps) -> None:
        super().__init__(scope, construct_id)
        self.secrets: Mapping[str, secretsmanager.ISecret] = MappingProxyType(
            {client: self._secret(client, user, props) for client, user in props.users.items()}
        )
        security_group = self._security_group(props)
        function = self._function(props, security_group)
        self.resource = cdk.CustomResource(
            self,
            "Resource",
            resource_type="Custom::AerodromeDatabases",
            service_token=function.function_arn,
            service_timeout=_SERVICE_TIMEOUT,
            properties={
                "Host": props.instance.host,
                "Port": props.instance.instance.db_instance_endpoint_port,
                "MasterSecretArn": props.instance.master_secret.secret_arn,
                "Clients": [
                    {
                        "Database": user.database,
                        "Username": user.username,
                        "SecretArn": self.secrets[client].secret_arn,
                    }
                    for client, user in props.users.items()
                ],
            },
        )
        # The rules that let the function reach the instance are resources of their own, and nothing refers to them.
        self.resource.node.add_dependency(props.instance, security_group)

    def _secret(self, client: str, user: DatabaseUser, props: DatabaseProvisionerProps) -> secretsmanager.ISecret:
        template = {
            "engine": "postgres",
            "host": props.instance.host,
            "port": cdk.Token.as_number(props.instance.instance.instance_endpoint.port),
            "dbname": user.database,
            "username": user.username,
        }
        return secretsmanager.Secret(
            self,
            f"{client.capitalize()}Secret",
            description=f"User {user.username} of database {user.database}",
            encryption_key=props.secrets_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=cdk.Stack.of(self).to_json_string(template),
                generate_string_key="password",
                exclude_punctuation=True,
                password_length=PASSWORD_LENGTH,
            ),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _function(self, props: DatabaseProvisionerProps, security_group: ec2.ISecurityGroup) -> lambda_.Function:
        log_group = logs.LogGroup(
            self,
            "Log",
            retention=props.log_retention,
            encryption_key=props.log_key,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        return lambda_.Function(
            self,
            "Function",
            description="Makes databases and their users",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=lambda_asset.HANDLER,
            code=lambda_.Code.from_asset(str(lambda_asset.build(props.ca_bundle))),
            memory_size=256,
            timeout=_TIMEOUT,
            role=self._role(props, log_group),
            log_group=log_group,
            vpc=props.vpc,
            vpc_subnets=props.subnets,
            security_groups=[security_group],
        )

    def _security_group(self, props: DatabaseProvisionerProps) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=props.vpc,
            description="Makes databases and their users",
            allow_all_outbound=False,
        )
        # Secrets Manager, and the address in S3 that takes the answer to CloudFormation: neither has fixed addresses.
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS APIs")
        group.add_egress_rule(props.instance.security_group, ec2.Port.tcp(PORT), "The database")
        props.instance.allow_from(group, "Makes databases and their users")
        return group

    def _role(self, props: DatabaseProvisionerProps, log_group: logs.ILogGroup) -> iam.Role:
        # In place of AWSLambdaVPCAccessExecutionRole, which may write to every log group.
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        secrets = (props.instance.master_secret, *self.secrets.values())
        role.add_to_policy(
            iam.PolicyStatement(
                sid="ReadSecrets",
                actions=["secretsmanager:GetSecretValue"],
                resources=[secret.secret_arn for secret in secrets],
            )
        )
        # Here rather than in the key's policy, where Secret.grant_read puts it: the key belongs to another stack, which
        # would then need this one.
        secrets_manager = f"secretsmanager.{cdk.Stack.of(self).region}.amazonaws.com"
        role.add_to_policy(
            iam.PolicyStatement(
                sid="DecryptSecrets",
                actions=["kms:Decrypt"],
                resources=[props.secrets_key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": secrets_manager}},
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                sid="NetworkInterfaces",
                actions=[
                    "ec2:AssignPrivateIpAddresses",
                    "ec2:CreateNetworkInterface",
                    "ec2:DeleteNetworkInterface",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSubnets",
                    "ec2:UnassignPrivateIpAddresses",
                ],
                # Lambda checks these rights without naming an interface when the function is made (Lambda developer
                # guide, "Giving Lambda functions access to resources in an Amazon VPC", required permissions).
                resources=["*"],
            )
        )
        return role
