"""The FrontDoor stack: the certificate and the firewall of the load balancer, and who may write its access log."""

from dataclasses import dataclass
from datetime import timedelta

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from aerodrome_constructs.alerts import Metric, MetricAlarm, MetricAlarmProps
from aerodrome_constructs.front_door import (
    HostCertificate,
    HostCertificateProps,
    ManagedRules,
    WebAcl,
    WebAclProps,
)
from aerodrome_stacks.alerts_stack import AlertsPorts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.hosts import hosts
from aerodrome_stacks.retention import log_retention

ACCESS_LOG_PREFIX = "front-door"
"""What the names of the load balancer's access logs begin with in their bucket."""

# Certificate Manager renews a certificate 60 days before its end (User Guide, "Managed certificate renewal"): for two
# weeks it has not come about.
_DAYS_TO_EXPIRY = 45

# An address is often an office's: 50 people, each with a console open that asks once a second, are 15,000 requests in
# five minutes, and a pipeline that registers and logs sends as many again.
_REQUESTS_PER_ADDRESS = 30_000

# 700 + 200 + 25 + 2 (the limit above) of the 1,500 web ACL capacity units that come with the price of a web ACL. Not
# among them: the anonymous IP list, which holds the ranges of hosting providers, where pipelines run.
_MANAGED = (
    ManagedRules(name="AWSManagedRulesAmazonIpReputationList"),
    ManagedRules(name="AWSManagedRulesKnownBadInputsRuleSet"),
    ManagedRules(
        name="AWSManagedRulesCommonRuleSet",
        counted={
            # gRPC is not inspected at all: AWS WAF leaves rules on bodies out there (Developer Guide, "Considerations
            # for managing body inspection"). What is left are the REST APIs of MLflow, Grafana and Flyte.
            "SizeRestrictions_BODY": "MLflow logs up to 1 MB of metrics in a request, and the rule ends at 8 KB",
            "GenericLFI_BODY": "paths of artifacts and arguments of tasks have ../ in them",
            "GenericRFI_BODY": "parameters of runs and data sources of Grafana are URLs, of addresses, too",
            "CrossSiteScripting_BODY": "notes of runs and models, and texts on dashboards, are Markdown with HTML",
            "EC2MetaDataSSRF_BODY": "environments and logged parameters name 169.254.169.254 and 169.254.170.2",
            "SizeRestrictions_QUERYSTRING": "identity providers' codes and Grafana's views are longer than 2 KB",
            "SizeRestrictions_Cookie_HEADER": "three services' sign-ons are tokens in cookies, together above 10 KB",
            "RestrictedExtensions_QUERYARGUMENTS": "MLflow shows artifacts by ?path=, and logs and .ini files are such",
        },
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontDoorPorts:
    """What the load balancer that Flyte, MLflow and Grafana share gets from AWS.

    Attributes:
        certificate_arn: The certificate of the three host names. None: the load balancer controller looks for one whose
            names cover the host.
        web_acl_arn: The web ACL that requests pass. None: they pass none.
        access_log_bucket: The name of the bucket for its access logs, below ``ACCESS_LOG_PREFIX``.
    """

    certificate_arn: str | None
    web_acl_arn: str | None
    access_log_bucket: str


class FrontDoorStack(AerodromeStack):
    """What stands before the three web interfaces, but for the load balancer: the controller in the cluster makes that.

    Args:
        scope: The app.
        construct_id: The stack's ID.
        environment: What the team decided.
        access_logs: The bucket for access logs.
        log_key: The key that encrypts the firewall's log.
        alerts: Who is told when the certificate is not renewed.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        access_logs: s3.IBucket,
        log_key: kms.IKey,
        alerts: AlertsPorts,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Certificate and web ACL of the load balancer before Flyte, MLflow and Grafana",
        )
        self._admit_access_logs(access_logs)
        self.ports = FrontDoorPorts(
            certificate_arn=self._certificate(environment, alerts),
            web_acl_arn=self._web_acl(environment, log_key),
            access_log_bucket=access_logs.bucket_name,
        )

    def _certificate(self, environment: Environment, alerts: AlertsPorts) -> str | None:
        zone = environment.access.hosted_zone_id
        if zone is None:
            return None
        props = HostCertificateProps(hosts=hosts(environment), hosted_zone_id=zone)
        arn = HostCertificate(self, "Certificate", props).arn
        MetricAlarm(
            self,
            "CertificateExpiring",
            MetricAlarmProps(
                name=f"{self.prefix}-certificate-expiring",
                meaning="The certificate of Flyte, MLflow and Grafana is not renewed, and ends in a few weeks.",
                runbook="runbooks/certificate-expiring.md",
                # Told once a day.
                metric=Metric("AWS/CertificateManager", "DaysToExpiry", {"CertificateArn": arn}, "Minimum"),
                period=timedelta(days=1),
                periods=1,
                comparison="LessThanThreshold",
                threshold=_DAYS_TO_EXPIRY,
                topic=alerts.topic,
            ),
        )
        return arn

    def _web_acl(self, environment: Environment, log_key: kms.IKey) -> str | None:
        if environment.network.private:
            # The controller could not attach it: the VPC has no endpoint for AWS WAF (chart_values/addons.py).
            return None
        props = WebAclProps(
            name=f"{self.prefix}-front-door",
            managed=_MANAGED,
            requests_per_address=_REQUESTS_PER_ADDRESS,
            log_key=log_key,
            log_retention=log_retention(environment),
        )
        return WebAcl(self, "WebAcl", props).arn

    def _admit_access_logs(self, bucket: s3.IBucket) -> None:
        # As Elastic Load Balancing asks for it (User Guide, "Enable access logs for your Application Load Balancer").
        # The account in the key is that of the load balancer, so that nobody else's can write here.
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AccessLogsOfTheFrontDoor",
                principals=[iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects(f"{ACCESS_LOG_PREFIX}/AWSLogs/{self.account}/*")],
            )
        )
