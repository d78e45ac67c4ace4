"""What holds for every rule."""

import importlib
from pathlib import Path

import pytest

import aerodrome_constructs.policy
from aerodrome_constructs.policy import HOUSE_RULES, Rule

# Files of the package that define no rule.
NO_RULES = {
    "__init__",
    "acknowledgement",
    "iam_statements",
    "known_rules",
    "plugin",
    "rule",
    "stateful_types",
    "template",
}


def names() -> list[str]:
    """The files that define a rule each."""
    folder = Path(str(aerodrome_constructs.policy.__file__)).parent
    found = sorted(file.stem for file in folder.glob("*.py"))
    assert set(found) > NO_RULES, "the listing is broken"
    return [name for name in found if name not in NO_RULES]


@pytest.mark.parametrize("name", names())
def test_every_file_defines_the_rule_that_it_is_named_after_and_which_is_in_force(name: str) -> None:
    rule = importlib.import_module(f"aerodrome_constructs.policy.{name}").RULE
    assert isinstance(rule, Rule)
    assert rule.name == name.replace("_", "-")
    assert rule in HOUSE_RULES


@pytest.mark.parametrize("name", names())
def test_every_rule_has_tests(name: str) -> None:
    assert (Path(__file__).parent / f"test_{name}.py").is_file()


@pytest.mark.parametrize("rule", HOUSE_RULES, ids=lambda rule: rule.name)
def test_every_rule_says_what_it_asks_and_how_to_mend_it(rule: Rule) -> None:
    assert rule.asks[0].isupper()
    assert rule.asks.endswith(".")
    assert len(rule.mend.split()) > 3
    assert list(rule.check([])) == []
