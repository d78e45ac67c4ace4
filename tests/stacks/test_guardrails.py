"""What every synth must pass, and how it fails: as the CDK CLI runs the app, in this process."""

import json
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from aerodrome_constructs.policy import KnownRule, acknowledge, acknowledgements, known_rules
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment, environment_names, load_environment
from aerodrome_stacks.guardrails import guard, pack_findings, packs
from aerodrome_stacks.platform import build_platform
from tests.stacks.test_private import private_environment
from tests.templates import ROOT, new_app

NAMES = environment_names(ROOT / "environments")
RULES = [rule for rule in vars(known_rules).values() if isinstance(rule, KnownRule)]
Synth = Callable[[Callable[[cdk.Stack], None]], str]


def report(app: cdk.App) -> list[Mapping[str, Any]]:
    """What the validation of an app said, a plugin each."""
    written = json.loads((Path(app.outdir) / "validation-report.json").read_text(encoding="utf-8"))
    plugins: list[Mapping[str, Any]] = written["pluginReports"]
    return plugins


def validate_templates(app: cdk.App) -> None:
    """Let the CDK validate templates itself, which it does in a synth, and in the tests where it is asked to."""
    cdk.Validations.of(app).add_plugins(cdk.CloudFormationValidatePlugin())


@pytest.fixture
def refusal() -> Synth:
    """Synthesizes a stack behind the guardrails, and returns the report that the user gets as it fails."""

    def run(fill: Callable[[cdk.Stack], None]) -> str:
        app = new_app()
        with acknowledgements() as given:
            fill(cdk.Stack(app, "Test", env=cdk.Environment(account="111122223333", region="eu-west-1")))
        guard(app, given)
        with pytest.raises(RuntimeError) as failure:
            app.synth()
        return str(failure.value)

    return run


class TestPlatform:
    @pytest.mark.parametrize("name", NAMES)
    def test_every_environment_passes_the_packs_and_the_house_rules(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = new_app({"env": name})
        monkeypatch.setattr(cdk, "App", lambda **_: app)
        # It would exit with the report.
        runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
        assert len(app.node.children) > 10
        failed = [plugin["pluginName"] for plugin in report(app) if plugin["conclusion"] != "success"]
        assert failed == []

    def test_without_its_acknowledgements_it_would_not_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        app = new_app({"env": "dev"})
        monkeypatch.setattr(cdk, "App", lambda **_: app)
        validate_templates(app)
        monkeypatch.setattr(cdk.Validations, "acknowledge", lambda *_: None)
        with pytest.raises(SystemExit) as failure:
            runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
        # dev is not private: tests/house/test_acknowledgements.py looks at a network that is.
        for rule in set(RULES) - {known_rules.KUBECTL_WITHOUT_INTERNET}:
            assert any(name in str(failure.value.code) for name in rule.ids), rule.name

    @pytest.mark.parametrize(
        "make", [private_environment, lambda: load_environment("dev", ROOT / "environments")], ids=["private", "dev"]
    )
    def test_a_warning_of_the_cdk_is_acknowledged_like_a_finding(self, make: Callable[[], Environment]) -> None:
        app = new_app()
        validate_templates(app)
        with acknowledgements() as given:
            build_platform(app, make())
        guard(app, given)
        app.synth()
        said = [violation for plugin in report(app) for violation in plugin["violations"]]
        assert [violation["ruleName"] for violation in said if violation["severity"] != "info"] == []

    def test_no_more_than_15_rules_are_known(self) -> None:
        assert 0 < len(RULES) <= 15
        assert len({rule.name for rule in RULES}) == len(RULES)

    def test_every_known_rule_is_one_that_is_checked(self) -> None:
        called = [name for rule in RULES for name in rule.ids]
        assert len(set(called)) == len(called)
        known = {"AwsSolutions", "HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321"}
        plugins = {"Aerodrome", "Annotation", "CloudFormation-Validate"}
        for name in called:
            plugin, _, own = name.partition("::")
            assert plugin in plugins if own else plugin.partition("-")[0] in known, name


class TestRefusals:
    def test_a_finding_of_a_pack_fails_the_synth_and_says_where(self, refusal: Synth) -> None:
        seen = refusal(lambda stack: _ignore(s3.Bucket(stack, "Data")))
        assert "Test/Data/Resource" in seen
        for pack in ("AwsSolutions", "HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321"):
            assert f"{pack}-" in seen, pack

    def test_a_finding_of_the_house_fails_it_in_the_same_report(self, refusal: Synth) -> None:
        seen = refusal(lambda stack: _ignore(s3.Bucket(stack, "Data")))
        assert "Acknowledge with 'Aerodrome::stateful-stacks-protected'" in seen

    def test_a_single_finding_is_acknowledged_by_a_pattern_and_its_neighbour_is_not(self, refusal: Synth) -> None:
        def fill(stack: cdk.Stack) -> None:
            role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
            bucket = s3.Bucket(stack, "Data")
            role.add_to_policy(iam.PolicyStatement(actions=["s3:Get*"], resources=[f"{bucket.bucket_arn}/mine/*", "*"]))
            acknowledge(
                role,
                known_rules.WILDCARDS,
                reason="a test wants it",
                findings=["Resource::*/mine/[*]", "Action::s3:Get[*]"],
            )

        seen = refusal(fill)
        assert "AwsSolutions-IAM5[Resource::*]" in seen
        assert "mine" not in seen
        assert "Action::s3:Get*" not in seen

    def test_an_acknowledgement_covers_its_construct_and_no_other(self, refusal: Synth) -> None:
        def fill(stack: cdk.Stack) -> None:
            for name in ("Kept", "Open"):
                role = iam.Role(stack, name, assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
                role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=["arn:aws:sqs:a:b:c"]))
                if name == "Kept":
                    acknowledge(role, known_rules.INLINE_POLICY, reason="a test wants it")

        seen = refusal(fill)
        assert "HIPAA.Security-IAMNoInlinePolicy" in seen
        assert "Test/Open/DefaultPolicy/Resource" in seen
        assert "Test/Kept/DefaultPolicy/Resource" not in seen


def test_the_packs_find_by_the_names_that_are_acknowledged() -> None:
    app = new_app()
    role = iam.Role(
        cdk.Stack(app, "Test"),
        "Role",
        assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("ReadOnlyAccess")],
    )
    (finding,) = pack_findings(packs()[0], app)
    assert (finding.rule,) == known_rules.MANAGED_POLICIES.ids
    assert finding.part == "Policy::arn:<AWS::Partition>:iam::aws:policy/ReadOnlyAccess"
    assert finding.path == f"{role.node.path}/Resource"


def test_only_bare_resources_are_tagged_by_hand(environment: Environment) -> None:
    stack = AerodromeStack(new_app(), "Test", environment=environment, description="A test")
    s3.Bucket(stack, "Data")
    with pytest.raises(TypeError, match="expected Test/Data to be a CfnResource, got a Bucket"):
        stack.tag_by_hand(stack, "Data")


def _ignore(_: object) -> None:
    """What a fill function makes stays in its stack."""
