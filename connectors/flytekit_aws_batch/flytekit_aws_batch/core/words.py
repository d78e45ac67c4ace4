"""What pydantic finds wrong with a value, in words that say how to mend it."""

import difflib
from collections.abc import Sequence
from typing import Final, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

_SAID: Final = {
    "missing": "it is left out, and needed",
    "string_type": "text is needed; put it in quotes",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number is needed, such as 2"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number is needed, such as 0.5"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "True or False is needed"),
    **dict.fromkeys(("dict_type", "mapping_type"), 'names with values are needed, such as {"name": "value"}'),
    "tuple_type": "a list is needed; put it in brackets, one by itself, too",
}


def said(error: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong with a value, and how to mend it.

    Args:
        error: What pydantic says of it. Limits and choices are told in its own words, which name them.
        model: What was to be made.
    """
    if error["type"] == "extra_forbidden":
        *above, name = error["loc"]
        return no_such(str(name), tuple(part_at(model, above).model_fields))
    if error["type"] in ("model_type", "model_attributes_type"):
        needed = ", ".join(required(part_at(model, error["loc"])))
        return f"names with values are needed{f', {needed} at least' if needed else ''}"
    return _SAID.get(error["type"], error["msg"])


def no_such(name: str, known: Sequence[str]) -> str:
    """What to say of an option that there is none of: the one that may be meant, or else all."""
    near = difflib.get_close_matches(name, known, 1)
    instead = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"there is no such option; {instead}"


def required(model: type[BaseModel]) -> list[str]:
    """The fields that cannot be left out."""
    return [name for name, field in model.model_fields.items() if field.is_required()]


def part_at(model: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel]:
    """The part that a place lies in: of lists and mappings, what they are of."""
    for step in place:
        field = model.model_fields.get(str(step))
        model = (_part(field.annotation) if field else None) or model
    return model


def _part(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((part for part in map(_part, get_args(annotation)) if part is not None), None)
