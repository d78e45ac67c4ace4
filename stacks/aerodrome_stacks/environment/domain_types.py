"""The domain types of an environment: text of one known form, durations, instance types.

Each type says in its own words what it refuses, and carries the pattern that ``environments/schema.json`` shows to
editors. All of them are pure: they compare a value with a rule, and ask neither AWS nor the clock.
"""

import re
from collections import Counter
from collections.abc import Hashable
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema

from aerodrome_stacks.environment.aws import INSTANCE_TYPE, REGIONS, instance_shape
from aerodrome_stacks.environment.forms import OneOf, Text, refusal
from aerodrome_stacks.environment.wording import describe, listing

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?"

String = Annotated[str, Strict()]
Count = Annotated[int, Strict()]

AccountId = Annotated[
    String,
    Text(pattern="[0-9]{12}", form='an AWS account number; those are 12 digits in quotes: "111122223333"', longest=12),
]
Region = Annotated[String, OneOf(names=REGIONS, form="an AWS region with EKS, Batch and three zones")]
Zone = Annotated[
    String,
    Text(pattern="[a-z]{2}-[a-z]+-[0-9][a-z]", form="an availability zone; those look like us-east-1a", longest=20),
]

# Role names hold both: "aerodrome-<environment>-<project>-<domain>" has at most 10 + 12 + 1 + 28 + 1 + 11 = 63
# characters, and IAM allows 64. The namespace "<project>-<domain>" then has at most 40, and Kubernetes allows 63.
EnvironmentName = Annotated[
    String,
    Text(
        pattern="[a-z](?:[a-z0-9-]*[a-z0-9])?",
        form="the name of an environment; those are lower-case letters, digits and hyphens, such as dev",
        longest=12,
    ),
]
ProjectName = Annotated[
    String,
    Text(
        pattern="[a-z](?:[a-z0-9-]*[a-z0-9])?",
        form="a project's name; those are lower-case letters, digits and inner hyphens, such as fraud-detection",
        longest=28,
    ),
]
GroupName = Annotated[
    String,
    Text(
        pattern="[a-z](?:[a-z0-9-]*[a-z0-9])?",
        form="a node group's name; those are lower-case letters, digits and inner hyphens, such as general",
        longest=28,
    ),
]
# "connector-<name>" is a label of DNS and has at most 10 + 28 = 38 characters; DNS takes 63.
ConnectorName = Annotated[
    String,
    Text(
        pattern="[a-z](?:[a-z0-9-]*[a-z0-9])?",
        form="a connector's name; those are lower-case letters, digits and inner hyphens, such as snowflake",
        longest=28,
    ),
]
TaskType = Annotated[
    String,
    Text(
        pattern="[A-Za-z][A-Za-z0-9_.-]*",
        form="a task type of Flyte; those look like snowflake or bigquery_query_job_task",
        longest=63,
    ),
]
_PART_OF_A_PATH = "[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
# What latest is today it need not be when the next pod starts.
PinnedImage = Annotated[
    String,
    Text(
        pattern=rf"{_HOST}(?::[0-9]{{1,5}})?(?:/{_PART_OF_A_PATH})+"
        r"(?::(?!latest(?:@|$))[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(?:@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})",
        form="an image with its registry and a tag that stays, or a digest; those look like "
        "ghcr.io/acme/snowflake-connector:1.4.0, and latest is no such tag",
        longest=512,
    ),
]
Domain = Literal["development", "staging", "production"]
Email = Annotated[
    String,
    Text(
        pattern=rf"[A-Za-z0-9._%+-]+@{_HOST}", form="an email address, such as ml-platform@example.com", longest=254
    ),  # RFC 5321's path limit
]
DomainName = Annotated[
    String,
    Text(
        pattern=_HOST, form="a domain name; those look like ml.example.com, lower case, without https://", longest=253
    ),
]
HttpsUrl = Annotated[
    String,
    Text(
        pattern=rf"https://{_HOST}(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9._~/-]*)?",
        form="a URL that starts with https://",
        longest=255,
    ),
]
HostedZoneId = Annotated[
    String,
    Text(
        pattern="Z[A-Z0-9]{1,31}",
        form="the ID of a Route 53 hosted zone; those look like Z0123456789EXAMPLE, and "
        "`aws route53 list-hosted-zones` prints those of an account, after /hostedzone/",
        longest=32,
    ),
]
PrometheusUrl = Annotated[
    String,
    Text(
        pattern=r"https://aps-workspaces\.[a-z]{2}-[a-z]+-[0-9]\.amazonaws\.com/workspaces/ws-[0-9a-f-]{36}"
        "/api/v1/remote_write",
        form="the remote write URL of a workspace of Amazon Managed Service for Prometheus; "
        "`aws amp describe-workspace` prints its endpoint, to which api/v1/remote_write is added",
        longest=255,
    ),
]
ClaimName = Annotated[
    String,
    Text(pattern="[A-Za-z][A-Za-z0-9_:.-]*", form="the name of a claim, such as groups", longest=128),
]
GroupOfPeople = Annotated[
    String,
    Text(
        pattern="[A-Za-z0-9][A-Za-z0-9 _.@:/-]*",
        form="the name of a group; letters, digits, spaces and _.@:/- are allowed",
        longest=128,
    ),
]
ClientId = Annotated[
    String, Text(pattern="[!-~]+", form="a client id; those are printable ASCII characters without spaces", longest=255)
]
# The characters and the length are those of CreateSecret's Name: no colon, so that an ARN is refused.
SecretName = Annotated[
    String,
    Text(
        pattern="[A-Za-z0-9/_+=.@-]+",
        form="the name of a secret; letters, digits and /_+=.@- are allowed, and an ARN or the secret itself is not",
        longest=512,
        shown=False,
    ),
]
RoleArn = Annotated[
    String,
    Text(
        pattern="arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+",
        form="the ARN of an IAM role; those look like arn:aws:iam::111122223333:role/PlatformEngineer",
        longest=2048,
    ),
]
ResourceName = Annotated[
    String,
    Text(
        pattern="[A-Za-z][A-Za-z0-9]*(?:/[A-Za-z0-9_.-]+)+",
        form="the name of a resource as `aerodrome plan` prints it; those look like Storage/RawData/Resource",
        longest=512,
    ),
]
Reason = Annotated[
    String,
    # Twenty characters are a short sentence; fewer say nothing to who reads them in a year.
    Text(pattern=r"\S[^\n]{18,}\S", form="a reason; write a sentence of at least 20 characters", longest=500),
]
AnomalyMonitorArn = Annotated[
    String,
    Text(
        pattern="arn:aws:ce::[0-9]{12}:anomalymonitor/[0-9a-f-]{36}",
        form="the ARN of a cost anomaly monitor; `aws ce get-anomaly-monitors` prints those of an account",
        longest=128,
    ),
]
# Classes that RDS offers for PostgreSQL 16: burstable (t), general (m), memory (r, x), compute (c).
DatabaseClass = Annotated[
    String,
    Text(
        pattern=r"db\.[cmrtx][0-9][a-z]*\.(?:micro|small|medium|large|[0-9]{0,2}xlarge)",
        form="an RDS instance class; those look like db.t4g.medium or db.m7g.large",
        longest=32,
    ),
]


def _instance_type(name: str) -> str:
    try:
        instance_shape(name)
    except ValueError as error:
        raise refusal(str(error)) from None
    return name


InstanceType = Annotated[
    String, AfterValidator(_instance_type), WithJsonSchema({"type": "string", "pattern": f"^{INSTANCE_TYPE}$"})
]

_DURATION = "[1-9][0-9]{0,4}[hd]"


def parse_duration(value: object) -> timedelta:
    """Return the period that a text such as ``30d`` or ``12h`` names; a timedelta is returned as it is.

    Raises:
        PydanticCustomError: It is no whole number of hours or days.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and re.fullmatch(_DURATION, value):
        number = int(value[:-1])
        return timedelta(days=number) if value.endswith("d") else timedelta(hours=number)
    raise refusal(f"{describe(value)} is not a duration; write whole days or hours, such as 30d or 12h")


def format_duration(period: timedelta) -> str:
    """Return a duration as an environment writes it, such as ``30d`` or ``12h``."""
    hours = int(period / timedelta(hours=1))
    return f"{hours}h" if hours % 24 else f"{hours // 24}d"


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), WithJsonSchema({"type": "string", "pattern": f"^{_DURATION}$"})
]


def period(least: str, most: str) -> AfterValidator:
    """Return the check that a duration lies between two others, and is whole days where they are written in days."""
    shortest, longest = parse_duration(least), parse_duration(most)

    def checked(value: timedelta) -> timedelta:
        if not shortest <= value <= longest:
            raise refusal(f"{format_duration(value)} is out of range; {least} to {most} are allowed")
        if least.endswith("d") and value % timedelta(days=1):
            raise refusal(f"{format_duration(value)} is not whole days; write {value.days + 1}d")
        return value

    return AfterValidator(checked)


def distinct(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """Return a list as it is.

    Raises:
        PydanticCustomError: A value stands in it twice.
    """
    twice = [value for value, times in Counter(values).items() if times > 1]
    if twice:
        raise refusal(f"{listing(twice)} stands in the list more than once; keep one")
    return values


def one_shape(instance_types: tuple[str, ...]) -> tuple[str, ...]:
    """Return interchangeable instance types as they are.

    A scheduler plans with one size for a whole group, and a node group has one machine image.

    Raises:
        PydanticCustomError: Two of them differ in vCPUs, architecture, or memory where their names tell it.
    """
    shapes = {name: instance_shape(name) for name in instance_types}
    known = {shape.memory_gib for shape in shapes.values()} - {None}
    if len({(shape.vcpus, shape.architecture) for shape in shapes.values()}) > 1 or len(known) > 1:
        alike: dict[str, list[str]] = {}
        for name, shape in shapes.items():
            memory = f", {shape.memory_gib} GiB" if len(known) > 1 and shape.memory_gib else ""
            alike.setdefault(f"{shape.vcpus} vCPUs{memory}, {shape.architecture}", []).append(name)
        each = "; ".join(f"{what}: {', '.join(names)}" for what, names in alike.items())
        raise refusal(f"the types of one group must agree in vCPUs, memory and architecture, and here are {each}")
    return instance_types


# An EKS managed node group takes at most 20 instance types.
InstanceTypes = Annotated[
    tuple[InstanceType, ...], Field(min_length=1, max_length=20), AfterValidator(distinct), AfterValidator(one_shape)
]
