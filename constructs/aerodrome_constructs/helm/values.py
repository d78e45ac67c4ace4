"""Values of a Helm release: how two sources of them become one, and how they reach Helm with nothing lost."""

import json
from collections.abc import Mapping, Sequence

import aws_cdk as cdk

Value = str | int | float | bool | None | Sequence["Value"] | Mapping[str, "Value"]
"""Whatever JSON can say. ``None`` is Helm's ``null``: it removes a default of the chart."""

Values = Mapping[str, Value]
"""The values of a release, or a part of them."""


class ValuesConflictError(ValueError):
    """Two sources set the same value, so that one of them would be lost without a word."""


def merge_values(written: Values, computed: Values) -> dict[str, Value]:
    """Merge the values that people wrote with those that code computed.

    Maps are merged key by key at every depth. Everything else (text, numbers, lists, ``None``) has one source: a path
    that both set is an error, since either of the two would silently do nothing.

    Args:
        written: The values in the release's ``values.yaml``.
        computed: The values that come from the ports of other stacks and from the environment.

    Returns:
        A new map. Neither argument is changed.

    Raises:
        ValuesConflictError: Both sources set a path, or one sets a map where the other sets something else.
    """
    return _merge(written, computed, path="")


def _merge(written: Values, computed: Values, *, path: str) -> dict[str, Value]:
    merged = dict(written)
    for key, value in computed.items():
        here = f"{path}.{key}" if path else key
        if key not in merged:
            merged[key] = value
            continue
        existing = merged[key]
        if not isinstance(existing, Mapping) or not isinstance(value, Mapping):
            raise ValuesConflictError(
                f"{here}: set twice, to {existing!r} in values.yaml and to {value!r} by code; "
                "every value has one source: remove it from one of them"
            )
        merged[key] = _merge(existing, value, path=here)
    return merged


def values_as_json(values: Values) -> str:
    """Write values as the JSON text that the CDK's Helm resource hands to Helm.

    Written here rather than by ``aws_eks_v2.HelmChart``: on the way through jsii a ``None`` inside a map is dropped,
    and with it every ``null`` that removes a default of a chart (README of ``aws_eks_v2``, "Helm Charts").

    Tokens that stand for text survive, because CloudFormation puts their values into the text in place. That value is
    not escaped, which is right for what we put there: ARNs, host names and names of resources have no quote and no
    backslash.

    Raises:
        ValueError: A value is a token that stands for a number or a list. Inside a text it cannot be told from a value.
    """
    _refuse_tokens_that_are_not_text(values, path="")
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def _refuse_tokens_that_are_not_text(value: Value, *, path: str) -> None:
    if isinstance(value, Mapping):
        for key, child in value.items():
            if _is_token(key):
                raise ValueError(f"{path or 'the top level'}: a key is a CDK token; keys must be known at synthesis")
            _refuse_tokens_that_are_not_text(child, path=f"{path}.{key}" if path else key)
    elif isinstance(value, str | None):
        return
    elif _is_token(value):
        kind = "list" if isinstance(value, Sequence) else "number"
        raise ValueError(
            f"{path}: the value is a CDK token that stands for a {kind}, and only tokens that stand for text can be "
            "put into Helm values; pass a literal, or text"
        )
    elif isinstance(value, Sequence):
        for index, child in enumerate(value):
            _refuse_tokens_that_are_not_text(child, path=f"{path}[{index}]")


def _is_token(value: Value) -> bool:
    # Each question to the CDK goes to node and back, and the values of a platform hold a thousand things: it is asked
    # only about what has the form of a token. Those are text with "${" in it, floats, and lists of one text.
    match value:
        case str():
            possible = "${" in value
        case float() | [str()]:
            possible = True
        case _:
            possible = False
    return possible and bool(cdk.Token.is_unresolved(value))
