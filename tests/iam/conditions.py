"""The condition operators of IAM policies that our templates use. One that is not here is an error, not a guess.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import translate
from functools import cache

Context = Mapping[str, Sequence[str]]
"""What a request says of itself: condition keys in lower case, each with its values."""

Test = Callable[[str, str], bool]

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


class UnknownOperatorError(ValueError):
    """A policy has a condition operator that nothing here evaluates."""


def matches(value: str, pattern: str) -> bool:
    """Whether a value is what a pattern of IAM describes: ``*`` for any characters, ``?`` for one. Case counts."""
    return _compiled(pattern).fullmatch(value) is not None


def with_variables(pattern: str, context: Context) -> str | None:
    """A pattern with the request's values for its variables. None: the request has none for one of them.

    A value with ``*`` in it stands for that character, not for any.
    """
    missing = False

    def value_of(found: re.Match[str]) -> str:
        nonlocal missing
        values = context.get(found.group(1).lower(), ())
        missing = missing or len(values) != 1
        return "".join(values).replace("*", "[*]").replace("?", "[?]") if values else ""

    substituted = _VARIABLE.sub(value_of, pattern)
    return None if missing else substituted


def holds(conditions: Mapping[str, Mapping[str, object]], context: Context) -> bool:
    """Whether all conditions of a statement hold for a request.

    Raises:
        UnknownOperatorError: If there is an operator that nothing here evaluates.
    """
    # All are looked at, though the first that fails decides: an unknown one must not hide behind it.
    return all([_one_holds(operator, key, wanted, context) for operator, key, wanted in _each(conditions)])  # noqa: C419 - see above


def _each(conditions: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, str, list[str]]]:
    for operator, keys in conditions.items():
        for key, wanted in keys.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            yield operator, key.lower(), [_text(value) for value in values]


def _one_holds(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    name, every_value = operator.removeprefix("ForAllValues:"), operator.startswith("ForAllValues:")
    name, if_exists = name.removesuffix("IfExists"), name.endswith("IfExists")
    values = context.get(key, ())
    if name == "Null":
        return [_text(not values)] == wanted
    if name not in _TESTS:
        raise UnknownOperatorError(
            f"{operator}, on {key}: {sorted(_TESTS)} are evaluated, with ForAllValues and IfExists"
        )
    test, negated = _TESTS[name]
    if not values:
        return if_exists or every_value or negated
    patterns = [pattern for one in wanted if (pattern := with_variables(one, context)) is not None]
    if every_value:
        return all(any(test(value, pattern) for pattern in patterns) is not negated for value in values)
    return any(any(test(value, pattern) for pattern in patterns) is not negated for value in values)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _equal(value: str, wanted: str) -> bool:
    return value == wanted.replace("[*]", "*").replace("[?]", "?")


def _arn_like(value: str, wanted: str) -> bool:
    # Each of the six parts is compared by itself: a `*` in one does not reach into the next.
    parts, patterns = value.split(":", 5), wanted.split(":", 5)
    return len(parts) == len(patterns) and all(map(matches, parts, patterns))


# Operator -> how one value is compared with one that is wanted, and whether the outcome is turned round.
_TESTS: Mapping[str, tuple[Test, bool]] = {
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotLike": (_arn_like, True),
    "Bool": (lambda value, wanted: value.lower() == wanted.lower(), False),
    "NumericLessThan": (lambda value, wanted: float(value) < float(wanted), False),
    "StringEquals": (_equal, False),
    "StringLike": (matches, False),
    "StringNotEquals": (_equal, True),
    "StringNotLike": (matches, True),
}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # IAM knows no sets of characters but those that stand for one character here.
    escaped = re.sub(r"\[(?![*?]\])", "[[]", pattern)
    return re.compile(translate(escaped))
