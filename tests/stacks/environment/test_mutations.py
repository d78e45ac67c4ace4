"""Whatever is done to an environment, it is valid or it is explained: there is no third outcome."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aerodrome_stacks.environment import Environment, InvalidEnvironmentError, load_environment
from aerodrome_stacks.environment.load import validate

Place = tuple[Any, ...]

FILE = Path("environments/dev.yaml")
# The file, the place (a line where the file is no YAML), and the sentence.
LINE = re.compile(re.escape(str(FILE)) + r': (line [0-9]+|[^\s:]|"[^\n]*").*: \S.*')
PYDANTIC = re.compile("Input should be|Extra inputs|Field required|Value error|should have at|type=|pydantic")

# The same examples on every machine and in every run: a failure in CI is a failure here. A deadline would make the
# result depend on the machine.
SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
EXTREME: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**400, 10**5000),
        *(0.0, -0.0, 1.5, 1e308, float("inf"), float("-inf"), float("nan")),
        *("", " ", "\n", "\0", "0", "null", "{}", "\N{SNOWMAN}", "\N{RIGHT-TO-LEFT OVERRIDE}", "a" * 100_000),
        *([], {}, [[]], [None], [{}], {"": None}, {"a": {"b": {}}}, b"bytes", (), {1: 2}, {None: 1}, object),
    ]
)
JUNK = st.one_of(EXTREME, TEXT, st.integers(), st.floats(), st.lists(TEXT, max_size=3), st.dictionaries(TEXT, TEXT))


def places(value: object, path: Place = ()) -> Iterator[Place]:
    """Every place in a document but its top."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in entries:
        yield (*path, key)
        yield from places(each, (*path, key))


def at(document: Any, path: Place) -> Any:  # noqa: ANN401 - a document holds anything
    for part in path:
        document = document[part]
    return document


@st.composite
def typos(draw: st.DrawFn, word: str) -> str:
    """The word with one character doubled, dropped, exchanged or made upper case."""
    position = draw(st.integers(0, len(word) - 1))
    before, letter, after = word[:position], word[position], word[position + 1 :]
    return draw(st.sampled_from([before + letter * 2 + after, before + after, after + letter + before, word.upper()]))


@st.composite
def changes(draw: st.DrawFn, parent: Any, key: Any, others: list[Any]) -> None:  # noqa: ANN401 - any part of a document
    """Change one entry of a mapping or list in place."""
    value = parent[key]
    match draw(st.sampled_from(["drop", "typo", "junk", "swap", "add", "repeat", "number"])):
        case "drop":
            del parent[key]
        case "typo" if isinstance(key, str) and key:
            parent[draw(typos(key[:200]))] = parent.pop(key)
        case "typo" if isinstance(value, str) and value:
            parent[key] = draw(typos(value[:200]))
        case "swap":
            parent[key] = deepcopy(draw(st.sampled_from(others)))
        case "add" if isinstance(parent, dict):
            parent[draw(st.one_of(TEXT, st.integers(), st.none(), st.booleans()))] = draw(JUNK)
        case "repeat" if isinstance(parent, list):
            parent.append(deepcopy(value))
        case "number" if isinstance(value, int):
            parent[key] = draw(st.integers(-5, 10**6))
        case _:
            parent[key] = draw(JUNK)


@st.composite
def mutants(draw: st.DrawFn, original: dict[str, Any]) -> Any:  # noqa: ANN401 - a mutant may be anything
    """An environment in which one to four things are changed, or, now and then, something else altogether."""
    if draw(st.integers(0, 49)) == 0:
        return draw(JUNK)
    document = deepcopy(original)
    for _ in range(draw(st.integers(1, 4))):
        known = list(places(document))
        place = draw(st.sampled_from(known))
        draw(changes(at(document, place[:-1]), place[-1], [at(document, other) for other in known]))
    return document


class Outcomes:
    """How many mutants were valid and how many were not, each checked."""

    def __init__(self) -> None:
        self.valid = 0
        self.invalid = 0

    def count(self, load: Callable[[], Environment]) -> None:
        try:
            environment = load()
        except InvalidEnvironmentError as error:
            self.invalid += 1
            self.check(error.problems)
        else:
            self.valid += 1
            assert isinstance(environment, Environment)

    def check(self, problems: tuple[str, ...]) -> None:
        assert problems
        assert len(set(problems)) == len(problems), "a problem is reported twice"
        for problem in problems:
            assert problem.startswith(f"{FILE}: ")
            assert problem.isprintable(), ascii(problem)
            assert not PYDANTIC.search(problem), problem
            problem.encode("utf-8")
        assert any(LINE.fullmatch(problem) for problem in problems) or self.is_about_the_whole(problems), problems

    def is_about_the_whole(self, problems: tuple[str, ...]) -> bool:
        return len(problems) == 1 and (
            "stands where a mapping is expected" in problems[0] or "is empty; an environment begins" in problems[0]
        )


def test_a_mutated_document_is_valid_or_explained(document: Callable[[str], dict[str, Any]]) -> None:
    original = document("dev")
    outcomes = Outcomes()

    @settings(SETTINGS, max_examples=700)
    @given(mutants(original))
    def mutate(mutant: object) -> None:
        outcomes.count(lambda: validate("dev", mutant, FILE))

    mutate()
    assert outcomes.valid + outcomes.invalid >= 500
    assert outcomes.invalid >= 400, "the mutations do too little"
    assert outcomes.valid >= 5, "the mutations do too much: nothing valid was tried"


@st.composite
def garbled(draw: st.DrawFn, text: str) -> bytes:
    """The text of an environment with one to four lines dropped, doubled, moved, indented or garbled."""
    lines = text.split("\n")
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, len(lines) - 1))
        line = lines[position]
        column = draw(st.integers(0, len(line)))
        match draw(st.sampled_from(["drop", "double", "move", "indent", "cut", "insert"])):
            case "drop" if len(lines) > 1:
                del lines[position]
            case "double":
                lines.insert(position, line)
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(position))
            case "indent":
                lines[position] = draw(st.sampled_from([" ", "  ", "\t"])) + line
            case "cut":
                lines[position] = line[:column] + line[column + 1 :]
            case _:
                mark = draw(st.one_of(st.sampled_from([*"&*!<>|?:{}[],#-'\"%@`~=", "\\x", "<<: *a"]), TEXT))
                lines[position] = line[:column] + mark + line[column:]
    content = "\n".join(lines).encode("utf-8")
    return content + draw(st.sampled_from([b"", b"", b"", b"\xff", b"\x00", b"\xc3"]))


def test_a_garbled_file_is_valid_or_explained(environments: Path, tmp_path: Path) -> None:
    text = (environments / "dev.yaml").read_text("utf-8")
    file = tmp_path / "dev.yaml"
    outcomes = Outcomes()

    def load() -> Environment:
        try:
            return load_environment("dev", tmp_path)
        except InvalidEnvironmentError as error:
            problems = tuple(problem.replace(str(file), str(FILE), 1) for problem in error.problems)
            raise InvalidEnvironmentError(problems) from None

    @settings(SETTINGS, max_examples=150)
    @given(garbled(text))
    def garble(content: bytes) -> None:
        file.write_bytes(content)
        outcomes.count(load)

    garble()
    assert outcomes.valid + outcomes.invalid >= 100
    assert outcomes.invalid >= 50, "the garbling does too little"
    assert outcomes.valid >= 5, "the garbling does too much: nothing valid was tried"
