"""Changes as AWS documents them, one by one: recorded_changes.yaml."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from aerodrome.plan.compare import compare_stacks
from aerodrome.plan.model import Verdict
from aerodrome.plan.templates import StackTemplate

RECORDED: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "recorded_changes.yaml").read_text(encoding="utf-8")
)
VERDICT_OF = {
    "No interruption": Verdict.IN_PLACE,
    "Some interruptions": Verdict.WITH_INTERRUPTION,
    "Replacement": Verdict.REPLACED,
}


def stack(resource_type: str, properties: dict[str, Any]) -> StackTemplate:
    body = {"Resources": {"It": {"Type": resource_type, "Properties": properties}}}
    return StackTemplate(
        stack="Recorded", name="aerodrome-dev-recorded", region="us-east-1", account="111122223333", body=body
    )


@pytest.mark.parametrize("recorded", RECORDED, ids=[one["change"] for one in RECORDED])
def test_the_verdict_is_the_one_that_aws_documents(recorded: dict[str, Any]) -> None:
    changes = compare_stacks(stack(recorded["type"], recorded["before"]), stack(recorded["type"], recorded["after"]))

    assert [change.verdict for change in changes] == [recorded["verdict"]]
    assert any(one.refused for one in changes[0].properties) is recorded.get("refused", False)


def test_the_record_is_large_and_says_where_each_verdict_is_from() -> None:
    assert len(RECORDED) >= 20
    assert len({one["change"] for one in RECORDED}) == len(RECORDED)
    assert {one["verdict"] for one in RECORDED} == {"in place", "with interruption", "replaced"}
    assert [one["change"] for one in RECORDED if not one["page"].startswith("https://docs.aws.amazon.com/")] == []
    # Where the page has one of its three words for it, that word and our verdict are the same thing.
    contradictory = [
        one["change"]
        for one in RECORDED
        if (word := one["documented"].partition(";")[0]) in VERDICT_OF and VERDICT_OF[word] != one["verdict"]
    ]
    assert contradictory == []


def test_a_key_is_not_replaced_by_accident_and_the_plan_says_so() -> None:
    (change,) = compare_stacks(
        stack("AWS::KMS::Key", {"KeySpec": "SYMMETRIC_DEFAULT"}), stack("AWS::KMS::Key", {"KeySpec": "RSA_2048"})
    )

    assert "CloudFormation refuses the update" in change.properties[0].why
