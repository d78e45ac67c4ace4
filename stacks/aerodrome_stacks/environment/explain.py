"""Explains pydantic's errors in the words of an environment's writer."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aerodrome_stacks.environment.model import Environment
from aerodrome_stacks.environment.problems import Problem
from aerodrome_stacks.environment.section import Section
from aerodrome_stacks.environment.wording import describe, listing, nearest, show

# How pydantic ends the place of an error that is about a mapping's key, not about the value there.
_IS_KEY = "[key]"
# What YAML 1.1 took for true and false, and 1.2 takes for text.
_TRUTHS = {"yes": True, "on": True, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Given:
    """What a sentence can speak of.

    Attributes:
        value: What stands in the file.
        limits: What pydantic says about the limit that it breaks.
        keys: The keys that are known at the place, where it is a mapping.
    """

    value: Any
    limits: Mapping[str, Any]
    keys: tuple[str, ...]


def _expected(what: str) -> Callable[[Given], str]:
    return lambda given: f"{describe(given.value)} stands where {what} is expected"


def _mapping(given: Given) -> str:
    keys = f", with the keys {listing(given.keys)}" if given.keys else ", from names of your choice"
    return f"{describe(given.value)} stands where a mapping is expected{keys}"


def _text(given: Given) -> str:
    number = isinstance(given.value, int | float) and not isinstance(given.value, bool)
    mend = "; write it in quotes" if number else ""
    return f"{describe(given.value)} stands where text is expected{mend}"


def _whole_number(given: Given) -> str:
    quoted = isinstance(given.value, str) and re.fullmatch("-?[0-9]+", given.value)
    mend = "; take the quotes away" if quoted else ""
    return f"{describe(given.value)} stands where a whole number is expected{mend}"


def _truth(given: Given) -> str:
    word = given.value.lower() if isinstance(given.value, str) else ""
    mend = "; take the quotes away" if word in ("true", "false") else ""
    if word in _TRUTHS:
        mend = f"; write {show(_TRUTHS[word])}"
    return f"{describe(given.value)} stands where true or false is expected{mend}"


def _entries(limit: str, key: str) -> Callable[[Given], str]:
    def sentence(given: Given) -> str:
        number = len(given.value)
        return f"has {number} {'entry' if number == 1 else 'entries'}; {limit} {given.limits[key]}"

    return sentence


def _choice(given: Given) -> str:
    options = re.findall("'([^']*)'", given.limits["expected"])
    shown = show(given.value)
    if isinstance(given.value, float) and shown in options:  # 1.36 without quotes is a number
        return f'{describe(given.value)} stands where text is expected; write it in quotes: "{shown}"'
    return f"{shown} is not offered; {listing(options, 'or')} is"


SENTENCES: Mapping[str, Callable[[Given], str]] = {
    "aerodrome": lambda given: str(given.limits["sentence"]),
    "bool_type": _truth,
    "dict_type": _mapping,
    "greater_than_equal": lambda given: f"{show(given.value)} is too small; {given.limits['ge']:,} is the least",
    "int_type": _whole_number,
    "invalid_key": lambda given: f"{describe(given.value)} stands where a key is expected; keys are text",
    "less_than_equal": lambda given: f"{show(given.value)} is too large; {given.limits['le']:,} is the most",
    "literal_error": _choice,
    "missing": lambda _: "required, but not given",
    "model_type": _mapping,
    "string_type": _text,
    "string_unicode": lambda given: f"{show(given.value)} has half of a pair of characters (U+D800 to U+DFFF)",
    "too_long": _entries("the most is", "max_length"),
    "too_short": _entries("the least is", "min_length"),
    "tuple_type": _expected("a list"),
}
"""A sentence for each type of error that the model can raise, but for unknown keys, which need their neighbours."""


def explain(error: ValidationError, document: Mapping[str, object]) -> Iterator[Problem]:
    """Yield the problems of a document that pydantic refused.

    Args:
        error: What pydantic says.
        document: What stands in the file.
    """
    details = error.errors(include_url=False)
    meant: set[tuple[str | int, ...]] = set()
    for each in details:
        if _is_unknown_key(each):
            place = _place(each)
            key, sentence = _unknown_key(place, document)
            meant.add((*place[:-1], key) if key else place)
            yield Problem(place, sentence)
    for each in details:
        place = _place(each)
        # A key that is misspelt is not missing as well.
        misspelt = each["type"] == "missing" and place in meant
        # pydantic counts the entries that are valid; where enough were given, the others say what is wrong with them.
        enough = each["type"] == "too_short" and len(each["input"]) >= each["ctx"]["min_length"]
        if not (_is_unknown_key(each) or misspelt or enough):
            yield _problem(each, place)


def empty(document: object) -> Iterator[Problem]:
    """Yield the problem of each key that is given without a value where the model takes one that is left out.

    To pydantic both are the same. Elsewhere it refuses what has no value.

    Args:
        document: What stands in the file.
    """
    ahead: list[tuple[tuple[str | int, ...], object]] = [((), document)]
    while ahead:
        place, value = ahead.pop()
        if value is None:
            kind = _kind(place)
            if NoneType in get_args(kind):
                mend = listing(known_keys(place)) + " below it" if known_keys(place) else "a value behind it"
                yield Problem(place, f"given without a value; take the line out, or write {mend}")
        elif isinstance(value, Mapping):
            ahead += [((*place, key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            ahead += [((*place, index), inner) for index, inner in enumerate(value)]


def _is_unknown_key(error: ErrorDetails) -> bool:
    return error["type"] == "extra_forbidden" or (error["loc"][-1:] == (_IS_KEY,) and error["type"] == "literal_error")


def _place(error: ErrorDetails) -> tuple[str | int, ...]:
    return error["loc"][:-1] if error["loc"][-1:] == (_IS_KEY,) else error["loc"]


def _problem(error: ErrorDetails, place: tuple[str | int, ...]) -> Problem:
    if error["type"] == "missing" and isinstance(place[-1], int):
        number = len(error["input"])
        return Problem(place[:-1], f"has {number} {'entry' if number == 1 else 'entries'}; three are needed")
    given = Given(value=error["input"], limits=error.get("ctx", {}), keys=known_keys(place))
    sentence = SENTENCES.get(error["type"], _expected("something else"))
    return Problem(place, sentence(given))


def _unknown_key(place: tuple[str | int, ...], document: Mapping[str, object]) -> tuple[str | None, str]:
    *parents, key = place
    known = known_keys(tuple(parents))
    neighbours: Any = document
    for part in parents:
        neighbours = neighbours[part]
    absent = [name for name in known if name not in neighbours]
    key_meant = nearest(key, absent)
    if key_meant:
        return key_meant, f"unknown key; did you mean {key_meant}?"
    return None, f"unknown key; known here: {listing(known)}"


def known_keys(place: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the keys that may stand in the mapping at a place of an environment.

    None where there is no mapping, and where the keys are names that the environment gives.
    """
    kind = _without_extras(_kind(place))
    if _is_section(kind):
        return tuple(key for key in kind.model_fields if (kind, key) != (Environment, "name"))
    if get_origin(kind) is Mapping:
        key = get_args(kind)[0]
        return get_args(key) if get_origin(key) is Literal else ()
    return ()


def _kind(place: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - a type's form, such as `X | None`
    """The type of what may stand at a place, None where nothing may."""
    kind: Any = Environment
    for part in place:
        kind = _without_extras(kind)
        if _is_section(kind):
            field = kind.model_fields.get(part)
            kind = field and field.annotation
        elif get_origin(kind) in (tuple, Mapping):
            kind = get_args(kind)[0 if get_origin(kind) is tuple else 1]
        else:
            kind = None
    return kind


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _without_extras(kind: Any) -> Any:  # noqa: ANN401 - a type's form, such as `Annotated[X, ...]` or `X | None`
    if get_origin(kind) is Annotated:
        return _without_extras(get_args(kind)[0])
    optional = [each for each in get_args(kind) if each is not NoneType]
    return _without_extras(optional[0]) if NoneType in get_args(kind) else kind
