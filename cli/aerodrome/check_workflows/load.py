"""Finds a package of workflows, and has it loaded by the interpreter that has flytekit."""

import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aerodrome.check_workflows.facts import Package, read
from aerodrome.project import PROJECT

_PROBE = Path(__file__).with_name("probe.py")


class LoadError(Exception):
    """A package that cannot be loaded. The message says why, in a line for the reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a package is.

    Attributes:
        root: The folder that Python imports it from.
        modules: What is imported, with all below.
    """

    root: Path
    modules: Sequence[str]


def default_python() -> Path:
    """The interpreter that ``make workflows`` sets up, or this one where it did not."""
    own = PROJECT.root / ".venv-workflows" / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


def source(package: str) -> Source:
    """Find a package by its path, as ``pyflyte register`` takes it, or by its name, as ``pyflyte package`` does.

    Args:
        package: A folder or a Python file, or the dotted name of a package or module in the current folder or in
            ``workflows/`` of the project.

    Raises:
        LoadError: If there is none.
    """
    path = Path(package)
    if path.is_dir() and not (path / "__init__.py").exists():
        modules = sorted(module.name for module in pkgutil.iter_modules([str(path)]))
        if not modules:
            raise LoadError(f"{package}: no Python file in this folder; name the folder or the file of the workflows")
        return Source(root=path, modules=modules)
    if path.exists():
        if path.is_file() and path.suffix != ".py":
            raise LoadError(f"{package}: not a Python file; name the folder or the file of the workflows")
        return _module(path.resolve())
    roots = (Path.cwd(), PROJECT.root / "workflows")
    for root in roots:
        if all(part.isidentifier() for part in package.split(".")):
            below = root.joinpath(*package.split("."))
            if below.is_dir() or below.with_suffix(".py").is_file():
                return Source(root=root, modules=[package])
    looked = " or ".join(str(root) for root in dict.fromkeys(roots))
    raise LoadError(f"{package}: neither a folder or file here, nor a package or module in {looked}; name one of these")


def load(where: Source, python: Path) -> Package:
    """Load a package, and read what it would register.

    Args:
        where: The package.
        python: The interpreter that has flytekit and what the package imports.

    Raises:
        LoadError: If the interpreter cannot do it, or the package does not import or serialize.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [str(python), str(_PROBE), str(report), str(where.root), *where.modules]
        try:
            run = subprocess.run(command, check=False, capture_output=True, text=True)
        except OSError as error:
            raise LoadError(
                f"{python}: no Python interpreter that can be started ({error.strerror}); name with --python the one "
                "that has flytekit and what the package imports"
            ) from None
        if not report.exists():
            last = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise LoadError(f"{python} ended with status {run.returncode} while it loaded the package: {last}")
        found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    if "error" in found:
        raise LoadError(_told(found["error"], where, python))
    package = read(found)
    if not package.tasks:
        raise LoadError(
            f"{', '.join(where.modules)}: no task of Flyte in it; name the folder or the file that has functions with "
            "@task"
        )
    return package


def here(place: str, where: Source) -> str:
    """A place in the package, as it is reached from where the command was typed."""
    path = (where.root / place).resolve()
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _module(path: Path) -> Source:
    """A file or a package: its root is the nearest folder above that is no package itself, as ``pyflyte`` has it."""
    root = path.parent
    while (root / "__init__.py").exists():
        root = root.parent
    return Source(root=root, modules=[".".join(path.relative_to(root).with_suffix("").parts)])


def _told(error: Mapping[str, Any], where: Source, python: Path) -> str:
    if error["kind"] == "NoFlytekit":
        return (
            f"{python} has no flytekit ({error['message']}); run `make check-workflows`, which installs it, or name "
            "with --python the interpreter that has it and what the package imports"
        )
    place = here(error["place"], where) if error["place"] else ", ".join(where.modules)
    message = f"{place}: the package does not load: {error['kind']}: {error['message']}"
    if error["missing"]:
        return f"{message}; install it for {python}, or name with --python the interpreter that has it"
    return f"{message}; mend this line, since `pyflyte register` would stop at it, too"
