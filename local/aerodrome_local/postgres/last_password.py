"""Which password the master user was given last, by the instance's record: its digest, beside the data."""

import hashlib
from pathlib import Path


def note(directory: Path, password: str) -> None:
    """Note that the master user was given a password."""
    _file(directory).write_text(_digest(password), encoding="ascii")


def is_noted(directory: Path, password: str) -> bool:
    """Whether the password is the one that the master user was given last."""
    file = _file(directory)
    return file.exists() and file.read_text(encoding="ascii") == _digest(password)


def _file(directory: Path) -> Path:
    return directory / "master"


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
