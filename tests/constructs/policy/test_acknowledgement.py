import re

import pytest
from constructs import Construct

from aerodrome_constructs.policy import acknowledge, acknowledgements
from aerodrome_constructs.policy.known_rules import BUCKET_REPLICATION, INLINE_POLICY, WILDCARDS
from tests.templates import new_stack

_EXPORTED = "aerodrome-dev-storage:ExportsOutputFnGetAttRawDataF8F8AE27Arn3C767EFC"


def test_what_is_acknowledged_is_collected_with_its_reason() -> None:
    construct = Construct(new_stack(), "Data")
    with acknowledgements() as given:
        acknowledge(construct, BUCKET_REPLICATION, INLINE_POLICY, reason="it is a test")
    assert [(one.construct, one.rule, one.reason) for one in given] == [
        (construct, BUCKET_REPLICATION, "it is a test"),
        (construct, INLINE_POLICY, "it is a test"),
    ]


def test_nobody_has_to_collect() -> None:
    acknowledge(Construct(new_stack(), "Data"), BUCKET_REPLICATION, reason="it is a test")
    with acknowledgements() as given:
        pass
    assert given == []


def test_a_collection_ends_with_its_block() -> None:
    with acknowledgements() as outer:
        with acknowledgements() as inner:
            acknowledge(Construct(new_stack(), "Data"), BUCKET_REPLICATION, reason="it is a test")
        acknowledge(Construct(new_stack(), "Data"), INLINE_POLICY, reason="it is a test")
    assert [one.rule for one in outer] == [INLINE_POLICY]
    assert [one.rule for one in inner] == [BUCKET_REPLICATION]


@pytest.mark.parametrize(
    ("pattern", "finding", "covered"),
    [
        ("Resource::[*]", "Resource::*", True),
        ("Resource::[*]", "Resource::arn:aws:s3:::mine/*", False),
        ("Resource::*/[*]", "Resource::arn:aws:s3:::mine/*", True),
        ("Resource::*/[*]", "Resource::arn:aws:s3:::mine/*/theirs", False),
        ("Resource::*/[*]", "Action::s3:*", False),
        ("Action::s3:[*]", "Action::S3:*", False),
        ("Resource::<RawData*.Arn>/[*]", "Resource::<RawDataF8F8AE27.Arn>/*", True),
        ("Resource::<RawData*.Arn>/[*]", f"Resource::{_EXPORTED}/*", True),
        ("Resource::<RawData*.Arn>/a/[*]", f"Resource::{_EXPORTED}/a/*", True),
        ("Resource::<RawData*.Arn>/a/[*]", f"Resource::{_EXPORTED}/b/*", False),
        ("Resource::<Metadata*.Arn>/[*]", f"Resource::{_EXPORTED}/*", False),
    ],
)
def test_a_finding_is_covered_by_a_pattern_that_it_matches(pattern: str, finding: str, covered: bool) -> None:  # noqa: FBT001 - a row of the table
    with acknowledgements() as given:
        acknowledge(Construct(new_stack(), "Role"), WILDCARDS, reason="it is a test", findings=[pattern])
    assert given[0].covers(finding) is covered


def test_a_rule_that_reports_its_findings_one_by_one_is_not_acknowledged_as_a_whole() -> None:
    message = "Test/Role acknowledges IAMNoWildcardPermissions with the findings []; name those that are meant"
    with pytest.raises(ValueError, match=re.escape(message)):
        acknowledge(Construct(new_stack(), "Role"), WILDCARDS, reason="it is a test")


def test_a_rule_without_single_findings_takes_none() -> None:
    with pytest.raises(ValueError, match="the rule has none to name"):
        acknowledge(Construct(new_stack(), "Data"), BUCKET_REPLICATION, reason="it is a test", findings=["Resource::*"])
