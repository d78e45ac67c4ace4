"""Turns the bytes of a YAML file into plain values, and says where the file is not what an environment is written in.

Anchors, aliases, merge keys and tags are refused: an environment is read line by line in reviews, and what stands in a
line is what holds. Keys are text; other plain scalars follow the core schema of YAML 1.2 (section 10.3), in which
``no`` and ``2026-11-21`` are text, too. Its octal, hexadecimal and infinite numbers are left out: they are text here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from aerodrome_stacks.environment.problems import Problem
from aerodrome_stacks.environment.wording import show

# The model is five levels deep.
_DEEPEST = 20

_WORDS = {
    spelling: value
    for word, value in (("true", True), ("false", False), ("null", None), ("~", None), ("", None))
    for spelling in (word, word.title(), word.upper())
}
# No number of an environment has more than 12 digits; Python refuses to read one of more than 4,300.
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]{1,40}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,40})?")


class DocumentError(Exception):
    """A file that cannot be taken for an environment at all. Its text begins with the line."""


def parse(content: bytes) -> tuple[object, tuple[Problem, ...]]:
    """Return what a YAML file says, as plain values, and the keys that it gives more than once.

    Raises:
        DocumentError: The bytes are not UTF-8, or the text is not YAML, or has something that is refused here.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError(
            f"line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file in that encoding"
        ) from None
    builder = _Builder()
    for event in _events(text):
        builder.take(event)
    return builder.value, tuple(builder.repeated)


def _events(text: str) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(str(error.problem or error.context).split())
        raise DocumentError(f"line {mark.line + 1}, column {mark.column + 1}: not YAML: {what}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(
            f"line {line}: character U+{ord(text[error.position]):04X} is not allowed in YAML"
        ) from None


@dataclass(slots=True)
class _Open:
    """A mapping or list that has begun and not ended."""

    container: dict[str, object] | list[object]
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str | int, ...]:
        if isinstance(self.container, list):
            return (len(self.container) - 1,)
        return () if self.key is None else (self.key,)


class _Builder:
    """Puts a document together from the parser's events, without recursion: no file can exhaust the stack."""

    def __init__(self) -> None:
        self.value: object = None
        self.repeated: list[Problem] = []
        self._documents = 0
        self._open: list[_Open] = []

    def take(self, event: Event) -> None:
        line = event.start_mark.line + 1
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, AliasEvent):
            raise DocumentError(f"line {line}: *{anchor} is an alias; write the value itself")
        if anchor:
            raise DocumentError(f"line {line}: &{anchor} is an anchor; write the value out wherever it holds")
        if tag:
            raise DocumentError(f"line {line}: {show(str(tag))} is a tag; leave it out, the key tells the type")
        match event:
            case DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise DocumentError(f"line {line}: a second document begins; a file holds one environment")
            case MappingStartEvent():
                self._begin({}, line)
            case SequenceStartEvent():
                self._begin([], line)
            case MappingEndEvent() | SequenceEndEvent():
                self._open.pop()
                self._key_is_done()
            case ScalarEvent():
                self._scalar(event, line)
            case _:  # the stream's and the document's ends say nothing
                pass

    def _begin(self, container: dict[str, object] | list[object], line: int) -> None:
        if len(self._open) == _DEEPEST:
            raise DocumentError(f"line {line}: nested deeper than {_DEEPEST} levels; an environment has five")
        if self._awaits_key:
            raise DocumentError(f"line {line}: {show(container)} stands where a key is expected, such as region")
        self._add(container)
        self._open.append(_Open(container))

    def _scalar(self, event: ScalarEvent, line: int) -> None:
        if any("\ud800" <= character <= "\udfff" for character in event.value):
            raise DocumentError(f"line {line}: {show(event.value)} has half of a pair of characters (U+D800 to U+DFFF)")
        if not self._awaits_key:
            plain = event.implicit[0]
            self._add(_plain(event.value) if plain else event.value)
            self._key_is_done()
            return
        if event.value == "<<":
            raise DocumentError(f"line {line}: << merges another mapping; write its keys out")
        top = self._open[-1]
        top.key = event.value
        first = top.lines.get(event.value)
        top.lines[event.value] = line
        if first is not None:
            path = tuple(part for each in self._open for part in each.place)
            self.repeated.append(Problem(path, f"given on line {first} and again on line {line}; keep one of them"))

    @property
    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].container, dict) and self._open[-1].key is None

    def _key_is_done(self) -> None:
        if self._open:
            self._open[-1].key = None

    def _add(self, value: object) -> None:
        if not self._open:
            self.value = value
            return
        top = self._open[-1]
        if isinstance(top.container, list):
            top.container.append(value)
        elif top.key is not None:
            top.container[top.key] = value


def _plain(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
