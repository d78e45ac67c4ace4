"""What the tests of the environment model share: real environments, changed at one place."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import EllipsisType
from typing import Any, get_args

import pytest

from aerodrome_stacks.environment import InvalidEnvironmentError
from aerodrome_stacks.environment.document import parse
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.environment.load import validate

FILE = Path("environments/dev.yaml")

Problems = Callable[..., list[str]]


@pytest.fixture(scope="session")
def environments() -> Path:
    return Path(__file__).parents[3] / "environments"


@pytest.fixture
def document(environments: Path) -> Callable[[str], dict[str, Any]]:
    """Read what an environment's file says, as plain values of the caller's own."""

    def read(name: str) -> dict[str, Any]:
        values, repeated = parse((environments / f"{name}.yaml").read_bytes())
        assert isinstance(values, dict)
        assert repeated == ()
        return values

    return read


@pytest.fixture
def problems(document: Callable[[str], dict[str, Any]]) -> Problems:
    """Change a real environment and return what is then wrong with it, without the file's name.

    A change is a path, such as ``projects[0].name``, and a value; ``...`` takes the key away.
    """

    def of(changes: Mapping[str, Any | EllipsisType], name: str = "dev") -> list[str]:
        values = document(name)
        # Every domain's raw data expires here, so that a test can give a project any domain.
        values["retention"]["raw_data"] = dict.fromkeys(get_args(Domain), "30d")
        for path, value in changes.items():
            *parents, last = [int(part) if part.isdigit() else part for part in re.split(r"[.\[\]]+", path.strip("[]"))]
            place: Any = values
            for part in parents:
                place = place[part]
            if value is ...:
                del place[last]
            else:
                place[last] = value
        lines: tuple[str, ...] = ()
        try:
            validate(name, values, FILE)
        except InvalidEnvironmentError as error:
            lines = error.problems
        prefix = f"{FILE}: "
        assert all(line.startswith(prefix) for line in lines)
        return [line.removeprefix(prefix) for line in lines]

    return of
