import pytest

from aerodrome_constructs.front_door import HostCertificate, HostCertificateProps
from tests.templates import new_stack, only, synthesized


@pytest.mark.parametrize("hosts", [["a.example.com"], ["a.example.com", "b.example.com", "c.example.com"]])
def test_each_name_is_proved_in_the_zone_and_none_is_a_wildcard(hosts: list[str]) -> None:
    stack = new_stack()
    HostCertificate(stack, "Certificate", HostCertificateProps(hosts=hosts, hosted_zone_id="Z1"))

    certificate = only(synthesized(stack), "AWS::CertificateManager::Certificate")
    assert [certificate["DomainName"], *certificate.get("SubjectAlternativeNames", [])] == hosts
    assert certificate["ValidationMethod"] == "DNS"
    assert certificate["DomainValidationOptions"] == [{"DomainName": host, "HostedZoneId": "Z1"} for host in hosts]
