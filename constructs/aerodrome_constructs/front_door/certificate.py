"""A certificate of AWS Certificate Manager that renews itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_certificatemanager as acm
from constructs import Construct


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCertificateProps:
    """What a certificate needs to know.

    Attributes:
        hosts: The names that it is for, at least one: each by itself, not as a wildcard, so that whoever takes a
            further name in the domain has no certificate for it.
        hosted_zone_id: The Route 53 hosted zone, in this account, that all of them are in.
    """

    hosts: Sequence[str]
    hosted_zone_id: str


class HostCertificate(Construct):
    """A certificate for some names in one hosted zone, where Certificate Manager finds the proof that they are ours.

    CloudFormation puts the records of the proof into the zone, and waits until the certificate is issued. As long as
    they stay there, Certificate Manager renews it (User Guide, "DNS validation").

    Attributes:
        arn: The certificate's ARN.
    """

    def __init__(self, scope: Construct, construct_id: str, props: HostCertificateProps) -> None:
        super().__init__(scope, construct_id)
        first, *others = props.hosts
        certificate = acm.CfnCertificate(
            self,
            "Resource",
            domain_name=first,
            subject_alternative_names=others or None,
            validation_method="DNS",
            domain_validation_options=[
                acm.CfnCertificate.DomainValidationOptionProperty(domain_name=host, hosted_zone_id=props.hosted_zone_id)
                for host in props.hosts
            ],
        )
        self.arn: str = certificate.ref
