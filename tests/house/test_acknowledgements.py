"""What the security packs and the house rules find is acknowledged with a reason, and what is acknowledged is found."""

import ast
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def _load_tool() -> ModuleType:
    # tools/ holds programs, not a package: they are run, and here loaded, from their file.
    spec = importlib.util.spec_from_file_location("acknowledgements", ROOT / "tools" / "acknowledgements.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = _load_tool()
# A dataclass of a module that is loaded from its file is no type to a type checker.
Audit = Any

# The one module that tells the CDK; all others call `acknowledge` of aerodrome_constructs.policy, which is listed.
TELLS_THE_CDK = "stacks/aerodrome_stacks/guardrails.py"
BYPASSES = {"Acknowledgment", "NagSuppressions", "acknowledge", "acknowledge_info", "acknowledge_warning"}


def bypasses(module: ast.Module) -> Iterator[str]:
    """Find what tells the CDK to be quiet, as an attribute of something or imported by name."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and node.attr in BYPASSES:
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom) and not str(node.module).startswith("aerodrome_constructs.policy"):
            yield from (f"line {node.lineno}: {one.name}" for one in node.names if one.name in BYPASSES)


@pytest.fixture(scope="module")
def audit() -> Audit:
    """What is found and acknowledged in all environments."""
    found = tool.audit()
    assert len(found.uses) > 20, "the listing is broken"
    return found


def test_nothing_is_found_that_is_neither_mended_nor_acknowledged(audit: Audit) -> None:
    assert list(audit.open) == []


def test_every_acknowledgement_is_needed_somewhere(audit: Audit) -> None:
    idle = [f"{use.path}: {use.rule.name}" for use in audit.uses if not use.environments]
    assert idle == [], "the finding is mended: take the acknowledgement away"
    parts = [f"{use.path}: {use.rule.name}[{part}]" for use in audit.uses for part in use.idle]
    assert parts == [], "nothing matches these patterns: take them away"


def test_nothing_is_acknowledged_past_the_list(modules: Mapping[str, ast.Module]) -> None:
    found = {name: list(bypasses(module)) for name, module in modules.items() if "tests/" not in name}
    assert found.pop(TELLS_THE_CDK), "the search finds nothing where there is something"
    assert len(found) > 100, "the listing is broken"
    problems = [f"{name}, {problem}" for name, items in found.items() for problem in items]
    assert problems == [], "acknowledge a known rule with aerodrome_constructs.policy.acknowledge"


@pytest.mark.parametrize(
    "code",
    [
        "cdk.Acknowledgment(id='W3010', reason='')",
        "from aws_cdk import Acknowledgment",
        "cdk.Validations.of(self).acknowledge(one)",
        "cdk.Annotations.of(self).acknowledge_warning('@aws-cdk/aws-eks:noSubnets')",
        "from cdk_nag import NagSuppressions",
    ],
)
def test_what_would_go_past_it_is_found(code: str) -> None:
    assert list(bypasses(ast.parse(code)))


def test_the_houses_own_way_is_not() -> None:
    code = "from aerodrome_constructs.policy import acknowledge\nacknowledge(self, RULE, reason='')"
    assert not list(bypasses(ast.parse(code)))


def test_what_only_a_private_network_needs_is_needed(audit: Audit) -> None:
    (use,) = [use for use in audit.uses if use.rule.name == "isolatedSubnetsForKubectlPrivateSubnets"]
    assert use.environments == (tool.PRIVATE,)
    assert f"`{use.path}` (in {tool.PRIVATE} only)" in tool.acknowledgements_page(audit)


def test_every_rule_is_called_what_those_call_it_that_find_it(audit: Audit) -> None:
    called = {name for use in audit.uses for name in use.rule.ids}
    assert called == audit.found


def test_at_most_15_rules_are_acknowledged(audit: Audit) -> None:
    assert 0 < len({use.rule.name for use in audit.uses}) <= tool.AT_MOST == 15


def test_every_reason_is_a_sentence_of_its_own(audit: Audit) -> None:
    # The page makes a sentence of it: a capital in front, a full stop behind.
    short = [use.reason for use in audit.uses if len(use.reason.split()) < 8 or use.reason.endswith(".")]
    assert short == []
    named = [use.reason for use in audit.uses if use.rule.name in use.reason]
    assert named == [], "what the rule is called is no reason"


def test_no_pattern_takes_everything(audit: Audit) -> None:
    """A pattern that matches any wildcard would hide the next one, too."""
    patterns = {part for use in audit.uses for part in use.findings}
    assert patterns, "the listing is broken"
    assert not patterns & {"*", "Action::*", "Resource::*", "Policy::*"}


def test_the_pages_are_the_ones_that_the_code_gives(audit: Audit) -> None:
    folder = ROOT / "docs" / "reference"
    written = [(folder / name).read_text(encoding="utf-8") for name in ("acknowledgements.md", "policies.md")]
    assert [tool.acknowledgements_page(audit), tool.policies_page()] == written, "run make guardrails"


def test_the_page_says_where_and_why(audit: Audit) -> None:
    page = tool.acknowledgements_page(audit)
    assert [use.path for use in audit.uses if f"`{use.path}`" not in page] == []
    assert [use.reason for use in audit.uses if use.reason[1:] not in page] == []
    assert [name for use in audit.uses for name in use.rule.ids if f"`{name}`" not in page] == []
