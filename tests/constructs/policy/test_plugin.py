"""The rules as the CDK runs them: what a user sees of a template that breaks one."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3

from aerodrome_constructs.policy import HOUSE_RULES, HouseRules, KnownRule
from aerodrome_constructs.policy.plugin import read_template
from tests.templates import new_app

RULES = [rule for rule in HOUSE_RULES if rule.name in {"no-public-buckets", "stateful-stacks-protected"}]


SEEN = """
ERROR not true: BlockPublicAcls, BlockPublicPolicy, IgnorePublicAcls, RestrictPublicBuckets. \
Every bucket blocks public ACLs and public policies, all four ways. (Aerodrome)
   Data/Inbox/Resource (InboxA8E05DC3) aws-cdk-lib.aws_s3.CfnBucket
   Suggested fix: make it a PrivateBucket, or set block_public_access=BlockPublicAccess.BLOCK_ALL
   Acknowledge with 'Aerodrome::no-public-buckets'
"""


def an_app(tmp_path: Path, *, broken: bool) -> tuple[cdk.App, s3.Bucket]:
    """An app with a bucket that keeps the rules, or breaks them."""
    app = cdk.App(outdir=str(tmp_path), analytics_reporting=False, tree_metadata=False)
    stack = cdk.Stack(app, "Data", termination_protection=not broken)
    access = None if broken else s3.BlockPublicAccess.BLOCK_ALL
    bucket = s3.Bucket(stack, "Inbox", block_public_access=access)
    if broken:
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.public_access_block_configuration = None
    cdk.Validations.of(app).add_plugins(HouseRules(RULES))
    return app, bucket


def test_an_app_that_keeps_the_rules_is_synthesized(tmp_path: Path) -> None:
    app, _ = an_app(tmp_path, broken=False)
    assert [stack.stack_name for stack in app.synth().stacks] == ["Data"]


def test_an_app_that_breaks_them_is_not_and_the_user_sees_what_where_and_how_to_mend_it(tmp_path: Path) -> None:
    app, _ = an_app(tmp_path, broken=True)
    with pytest.raises(RuntimeError) as failure:
        app.synth()
    report = str(failure.value)
    assert SEEN in report
    # The CDK writes the path from here where that is shorter.
    said, _, path = report.rpartition("A copy of this report can be found in: ")
    assert said
    assert Path(path).resolve() == (tmp_path / "validation-report.json").resolve()


def test_a_finding_can_be_acknowledged_on_its_construct(tmp_path: Path) -> None:
    app, bucket = an_app(tmp_path, broken=True)
    rule = KnownRule(name="no-public-buckets", ids=("Aerodrome::no-public-buckets",), asks="...")
    cdk.Validations.of(bucket).acknowledge(cdk.Acknowledgment(id=rule.ids[0], reason="a test wants it"))
    with pytest.raises(RuntimeError) as failure:
        app.synth()
    assert "no-public-buckets" not in str(failure.value)
    assert "stateful-stacks-protected" in str(failure.value)


def test_a_template_is_read_with_what_the_manifest_says_of_its_stack() -> None:
    app = new_app()
    cdk.Stack(app, "Open")
    cdk.Stack(app, "Closed", termination_protection=True)
    assembly = Path(app.synth().directory)
    read = [read_template(assembly / f"{name}.template.json", name) for name in ("Open", "Closed")]
    assert [stack.termination_protection for stack in read] == [False, True]
    assert read[0].template == json.loads((assembly / "Open.template.json").read_text(encoding="utf-8"))
