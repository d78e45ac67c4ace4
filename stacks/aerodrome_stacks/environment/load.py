"""Reads ``environments/<name>.yaml``: the one place where the environment meets a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from aerodrome_stacks.environment.document import DocumentError, parse
from aerodrome_stacks.environment.explain import empty, explain, known_keys
from aerodrome_stacks.environment.model import Environment
from aerodrome_stacks.environment.problems import Problem, in_file_order
from aerodrome_stacks.environment.rules import broken_rules
from aerodrome_stacks.environment.wording import describe, listing, nearest, show

_SUFFIX = ".yaml"


class InvalidEnvironmentError(Exception):
    """An environment that cannot be used.

    Attributes:
        problems: Everything that is wrong, a line each: ``environments/dev.yaml: network.cidr: ...``.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def environment_names(directory: Path) -> tuple[str, ...]:
    """Return the names of the environments in a directory, sorted."""
    return tuple(sorted(path.name.removesuffix(_SUFFIX) for path in directory.glob(f"*{_SUFFIX}")))


def environment_file(name: str, directory: Path) -> Path:
    """Return the path of an environment's file, whether it exists or not."""
    return directory / f"{name}{_SUFFIX}"


def load_environment(name: str, directory: Path) -> Environment:
    """Return the environment in ``<directory>/<name>.yaml``.

    It reads that file and nothing else: no variables, no network, no clock.

    Args:
        name: The environment's name, such as ``dev``.
        directory: Where the files are. Messages name it as it is given here.

    Raises:
        InvalidEnvironmentError: The file is absent, no YAML, or says what the model or a rule forbids. It carries every
            problem, not the first alone.
    """
    names = environment_names(directory)
    if name not in names:
        raise InvalidEnvironmentError((_unknown(name, directory, names),))
    path = environment_file(name, directory)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidEnvironmentError((f"{path}: cannot be read: {error.strerror}",)) from None
    try:
        document, repeated = parse(content)
    except DocumentError as error:
        raise InvalidEnvironmentError((f"{path}: {error}",)) from None
    return validate(name, document, path, repeated)


def validate(name: str, document: object, path: Path, repeated: Sequence[Problem] = ()) -> Environment:
    """Return the environment that a document describes.

    Args:
        name: The environment's name.
        document: What stands in the file, as plain values.
        path: The file, for messages.
        repeated: What the file gives more than once, to be reported with the rest.

    Raises:
        InvalidEnvironmentError: The document says what the model or a rule forbids.
    """
    if document is None:
        raise InvalidEnvironmentError((f"{path}: is empty; an environment begins with account, region and network",))
    if not isinstance(document, Mapping):
        what = f"{describe(document)} stands where a mapping is expected, with the keys {listing(known_keys(()))}"
        raise InvalidEnvironmentError((f"{path}: {what}",))
    problems = list(repeated)
    if "name" in document:
        problems.append(Problem(("name",), f"unknown key; the name of the file names the environment: {name}"))
    sections: dict[str, object] = {}
    environment = None
    try:
        environment = Environment.model_validate({**document, "name": name}, context=sections)
    except ValidationError as error:
        problems += explain(error, document)
    problems += empty(document)
    problems += broken_rules(sections)
    if problems or environment is None:
        lines = tuple(f"{path}: {problem}" for problem in in_file_order(problems, document))
        raise InvalidEnvironmentError(lines)
    return environment


def _unknown(name: str, directory: Path, names: Sequence[str]) -> str:
    if not directory.is_dir():
        return f"{directory}: no such directory; environments are files such as {environment_file('dev', directory)}"
    meant = nearest(Path(name).stem, names)
    hint = f"did you mean {meant}? " if meant else ""
    there = f"there are {listing(names)}" if names else f"there is no file that ends in {_SUFFIX}"
    return f"{directory}: no environment is called {show(name)}; {hint}{there}"
