"""What each domain type takes and refuses, and what it becomes."""

from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from aerodrome_stacks.environment import domain_types
from aerodrome_stacks.environment.cron import Cron
from aerodrome_stacks.environment.domain_types import Duration, format_duration
from aerodrome_stacks.environment.networks import Cidr

TAKEN = (
    ("AccountId", "012345678901"),
    ("Region", "eu-central-1"),
    ("Zone", "ap-northeast-1d"),
    ("EnvironmentName", "dev-2"),
    ("ProjectName", "fraud-detection"),
    ("ProjectName", "a"),
    ("Email", "first.last+alerts@mail.example.com"),
    ("DomainName", "ml.example.com"),
    ("HttpsUrl", "https://login.example.com:8443/realms/ml"),
    ("ClientId", "0oa1b2c3~d4"),
    ("SecretName", "aerodrome/prod/oidc-client-secret"),
    ("RoleArn", "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef"),
    ("DatabaseClass", "db.t4g.micro"),
    ("DatabaseClass", "db.r6gd.16xlarge"),
    ("InstanceType", "m7i-flex.8xlarge"),
)

REFUSED = (
    ("AccountId", "11112222333"),
    ("AccountId", "1111-2222-3333"),
    ("AccountId", "١١١١٢٢٢٢٣٣٣٣"),
    ("AccountId", "111122223333\n"),
    ("Region", "us-west-1"),  # two zones
    ("Region", "us-gov-west-1"),  # another partition, whose ARNs begin with arn:aws-us-gov
    ("Zone", "us-east-1"),
    ("EnvironmentName", "Dev"),
    ("EnvironmentName", "-dev"),
    ("ProjectName", "fraud_detection"),
    ("ProjectName", "fraud-"),
    ("ProjectName", "2fast"),
    ("ProjectName", "x" * 29),
    ("Email", "nobody"),
    ("Email", "a b@example.com"),
    ("Email", "a@example"),
    ("DomainName", "https://ml.example.com"),
    ("DomainName", "ml"),
    ("DomainName", "Ml.example.com"),
    ("DomainName", "ml..example.com"),
    ("DomainName", "10.16.0.1"),
    ("HttpsUrl", "http://login.example.com"),
    ("HttpsUrl", "https://login.example.com/?tenant=1"),
    ("ClientId", "two words"),
    ("SecretName", "arn:aws:secretsmanager:us-east-1:111122223333:secret:oidc"),
    ("RoleArn", "arn:aws:iam::111122223333:user/somebody"),
    ("RoleArn", "arn:aws:iam::1111:role/x"),
    ("RoleArn", "arn:aws:sts::111122223333:assumed-role/x/y"),
    ("DatabaseClass", "t4g.medium"),
    ("DatabaseClass", "db.t4g"),
    ("InstanceType", "m7i"),
    ("InstanceType", "m7i.medium"),
    ("InstanceType", "m7i.metal"),
    ("InstanceType", "m7i.1xlarge"),
    ("InstanceType", "m7i.2large"),
    ("InstanceType", "M7i.large"),
)


def validated(kind: Any, value: object) -> Any:  # noqa: ANN401 - any type, and what it becomes
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(("kind", "text"), TAKEN)
def test_taken(kind: str, text: str) -> None:
    assert validated(getattr(domain_types, kind), text) == text


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_refused(kind: str, text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validated(getattr(domain_types, kind), text)
    (error,) = refused.value.errors()
    assert error["type"] == "aerodrome", "refused, but not in our words"


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("24h", timedelta(days=1)),
        ("99999d", timedelta(99999)),
    ],
)
def test_duration(text: str, period: timedelta) -> None:
    assert validated(Duration, text) == period
    assert validated(Duration, period) == period


@pytest.mark.parametrize(
    "value", ["30", "30 d", "1.5d", "0d", "-1d", "P30D", "30D", "30w", "030d", "100000d", "", 30, None, []]
)
def test_no_duration(value: object) -> None:
    with pytest.raises(ValidationError, match="is not a duration; write whole days or hours, such as 30d or 12h"):
        validated(Duration, value)


@pytest.mark.parametrize("text", ["30d", "12h", "36h", "1h"])
def test_a_duration_is_printed_as_it_is_written(text: str) -> None:
    assert format_duration(validated(Duration, text)) == text


def test_network() -> None:
    assert validated(Cidr, "10.16.0.0/16") == IPv4Network("10.16.0.0/16")
    assert validated(Cidr, IPv4Network("10.16.0.0/16")) == IPv4Network("10.16.0.0/16")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("10.16.0.0", "is not an IPv4 network"),
        ("10.16.0.0/33", "is not an IPv4 network"),
        ("10.16.0.0/255.255.0.0", "is not an IPv4 network"),
        ("10.256.0.0/16", "is not an IPv4 network"),
        ("2001:db8::/32", "is not an IPv4 network"),
        (" 10.16.0.0/16", "is not an IPv4 network"),
        ("10.16.3.4/16", r"names an address inside a network; did you mean 10\.16\.0\.0/16\?"),
        # Python would take a number for an address.
        (168427520, "the number 168427520 stands where a network is expected"),
        (b"\x0a\x10\x00\x00", "stands where a network is expected"),
        (None, "nothing stands where a network is expected"),
    ],
)
def test_no_network(value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        validated(Cidr, value)


@pytest.mark.parametrize("text", ["0 3 * * sun", "*/15 8-18 * * mon-fri", "30 4 1,15 jan-jun/2 *", "0 0 * 12 0"])
def test_schedule(text: str) -> None:
    assert validated(Cron, text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 3 * *", "have five fields"),
        ("0 3 * * ? *", "have five fields"),
        ("@daily", "have five fields"),
        ("60 3 * * *", '"60" cannot be the minute of a schedule; 0 to 59 are allowed'),
        ("0 24 * * *", '"24" cannot be the hour of a schedule; 0 to 23 are allowed'),
        ("0 0 0 * *", '"0" cannot be the day of the month of a schedule; 1 to 31 are allowed'),
        ("0 0 * foo *", '"foo" cannot be the month of a schedule; 1 to 12 or jan to dec are allowed'),
        ("0 0 * * fri-mon", '"fri-mon" cannot be the day of the week of a schedule; 0 to 6 or sun to sat are allowed'),
        ("0 0 * * 1,", '"" cannot be the day of the week'),
        ("*/0 0 * * *", r'"\*/0" cannot be the minute'),
    ],
)
def test_no_schedule(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        validated(Cron, text)


@pytest.mark.parametrize("secret", ["hunter2!", "hunter2" * 100])
def test_what_may_be_a_secret_is_not_printed(problems: Callable[..., list[str]], secret: str) -> None:
    (line,) = problems({"access.oidc.client_secret_name": secret}, "prod")
    assert line.startswith("access.oidc.client_secret_name: what is given ")
    assert "hunter2" not in line
