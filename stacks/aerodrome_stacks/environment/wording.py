"""Words that error messages share: how a value from a file is shown, and which name the writer probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from json import dumps

# Long enough for a role ARN, short enough that a message stays on one line of a terminal.
_SHOWN_CHARACTERS = 80


def show(value: object) -> str:
    """Return a value as the writer of a YAML file knows it, on one line, in printable characters only."""
    match value:
        case None:
            shown = "nothing"
        case bool():
            shown = "true" if value else "false"
        case str():
            shown = dumps(value, ensure_ascii=not value.isprintable())
        case int() | float():
            shown = _digits(value)
        case dict():
            shown = "a mapping"
        case list() | tuple():
            shown = "a list"
        case _:
            shown = dumps(str(value))
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[: _SHOWN_CHARACTERS - 4]}...{shown[-1]}"


def describe(value: object) -> str:
    """Return a value with its kind, for a message that says which kind is expected instead."""
    if isinstance(value, str):
        return f"the text {show(value)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"the number {show(value)}"
    return show(value)


def listing(names: Iterable[object], conjunction: str = "and") -> str:
    """Return names joined by commas, and the last by a conjunction."""
    *most, last = map(str, names)
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def nearest(word: object, names: Iterable[str]) -> str | None:
    """Return the name that the writer probably meant, or None where nothing is close."""
    close = get_close_matches(word.lower(), list(names), n=1, cutoff=0.6) if isinstance(word, str) else []
    return close[0] if close else None


def _digits(number: float) -> str:
    try:
        return str(number)
    except ValueError:  # Python refuses to print integers of more than 4,300 digits
        return "<more than 4,300 digits>"
