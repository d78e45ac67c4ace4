"""What an input transformer makes of an event, as EventBridge does it: nothing that is put in is escaped.

So a text with a quotation mark in it ends where that stands, and what follows is part of the target's input.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-issues
"""

import json
import re
from collections.abc import Mapping
from typing import Any

STRING_OR_PLACEHOLDER = re.compile(r'"(?:\\.|[^"\\])*"|<[^<>]*>')
PLACEHOLDER = re.compile(r"<([^<>]*)>")


def transformed(transformer: Mapping[str, Any], event: Mapping[str, Any], reserved: Mapping[str, Any]) -> str:
    """The target's input.

    Args:
        transformer: The target's ``InputTransformer``.
        event: The whole event.
        reserved: EventBridge's own variables, such as ``aws.events.rule-name``, by their names.
    """
    template = transformer["InputTemplate"]
    values = {name: at(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values = {**values, **reserved}

    def in_text(found: re.Match[str]) -> str:
        value = values.get(found.group(1))
        # Of an object in a text, EventBridge takes the quotation marks out, so that the text stays one.
        return value if isinstance(value, str) else _rendered(value).replace('"', "")

    def anywhere(found: re.Match[str]) -> str:
        token = found.group()
        if token.startswith('"'):
            return PLACEHOLDER.sub(in_text, token)
        value = values.get(token[1:-1])
        return f'"{value}"' if isinstance(value, str) else _rendered(value)

    # A template without any quotation mark is a text, not JSON, unless it is one placeholder.
    if '"' not in template and not PLACEHOLDER.fullmatch(template):
        return PLACEHOLDER.sub(in_text, template)
    return STRING_OR_PLACEHOLDER.sub(anywhere, template)


def at(event: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """What is at a path of an event, such as ``$.detail.object.key`` or ``$.resources[0]``. None: nothing is."""
    value = event
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        if name:
            value = value.get(name) if isinstance(value, dict) else None
        else:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
    return value


def _rendered(value: Any) -> str:  # noqa: ANN401 - any JSON value
    # A variable that finds nothing is not in the output, so that JSON with one is none.
    return "" if value is None else json.dumps(value)
