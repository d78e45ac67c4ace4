"""Flyte's literals made of what jobs left in S3."""

from flyteidl.core import literals_pb2 as literals
from flyteidl.core import types_pb2 as types

_TRUE, _FALSE = ("true", "1"), ("false", "0")

READABLE = (types.STRING, types.INTEGER, types.FLOAT, types.BOOLEAN)
"""What a raw container may give as text."""


def primitive(text: str, simple: int) -> literals.Literal:
    """A value of one of Flyte's simple types, as a container wrote it.

    Raises:
        ValueError: It is no such value.
    """
    # What echo adds.
    text = text.removesuffix("\n")
    value = literals.Primitive()
    if simple == types.STRING:
        value.string_value = text
    elif simple == types.INTEGER:
        value.integer = int(text)
    elif simple == types.FLOAT:
        value.float_value = float(text)
    elif text.strip().lower() in (*_TRUE, *_FALSE):
        value.boolean = text.strip().lower() in _TRUE
    else:
        raise ValueError(f"{text!r} is neither true nor false")
    return literals.Literal(scalar=literals.Scalar(primitive=value))


def blob(url: str, kind: types.BlobType) -> literals.Literal:
    """A file or a directory."""
    metadata = literals.BlobMetadata(type=kind)
    return literals.Literal(scalar=literals.Scalar(blob=literals.Blob(metadata=metadata, uri=url)))


def optional(literal: literals.Literal | None, kind: types.LiteralType) -> literals.Literal:
    """An element of a list of ``Optional``: the value as one of the two, or none.

    Args:
        literal: The value. None: there is none.
        kind: The type of the list's elements.
    """
    if literal is not None and literal.scalar.WhichOneof("value") == "union":
        return literal
    if literal is None:
        literal = literals.Literal(scalar=literals.Scalar(none_type=literals.Void()))
    nothing = literal.scalar.WhichOneof("value") == "none_type"
    stored = next(each for each in kind.union_type.variants if _is_none(each) is nothing)
    return literals.Literal(scalar=literals.Scalar(union=literals.Union(value=literal, type=stored)))


def _is_none(kind: types.LiteralType) -> bool:
    # The number of NONE is also that of what is not set.
    return bool(kind.WhichOneof("type") == "simple" and kind.simple == types.NONE)
