"""Two registries on loopback, one to copy from and one to copy to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aerodrome.mirror.items import Item
from aerodrome.mirror.lock import Lock
from aerodrome.mirror.push import Outcome, push
from aerodrome.mirror.registry import Registry
from tests.cli.mirror.registry_server import Held, registry_server


@pytest.fixture
def source() -> Iterator[Held]:
    """The registry that an image is published in. It gives a token to everybody."""
    with registry_server(Held()) as held:
        yield held


@pytest.fixture
def target() -> Iterator[Held]:
    """The account's own, which wants a password and has a repository for what is copied."""
    with registry_server(Held(password="AWS:secret", repositories={"mirror/tools/box", "mirror/charts/shop"})) as held:
        yield held


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    return tmp_path / "images.lock.yaml"


class Mirror:
    """Copies from the one to the other, as the command does."""

    def __init__(self, target: Held, lock_file: Path) -> None:
        self._target, self._lock_file = target, lock_file

    def push(self, item: Item, **credentials: str) -> Outcome:
        registry = Registry(self._target.address, credentials=("AWS", credentials.get("password", "secret")))
        (outcome,) = push([item], registry, Lock(self._lock_file), Registry)
        return outcome


@pytest.fixture
def mirror(target: Held, lock_file: Path) -> Mirror:
    return Mirror(target, lock_file)
