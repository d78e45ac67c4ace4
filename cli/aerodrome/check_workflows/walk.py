"""Finds, in a folder, the modules that have something of Flyte, without importing any.

A folder has more than workflows: the scripts of jobs, handlers of functions, ``setup.py``. They would register nothing,
and import what the interpreter of the workflows need not have.
"""

import ast
import pkgutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FLYTEKIT = ("flytekit", "flytekitplugins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What was found.

    Attributes:
        files: How many files there are.
        modules: The modules that import flytekit or one of its plugins, themselves or through another below the root.
        left_out: The files of the others, seen from the root. The ``__init__.py`` of a package that has one of
            ``modules`` is not among them: Python imports it with the module.
    """

    files: int
    modules: Sequence[str]
    left_out: Sequence[Path]


def walk(root: Path, packages: Sequence[str]) -> Walk:
    """Find the modules of Flyte.

    Args:
        root: The folder that Python imports the packages from.
        packages: Where to look: packages with all below, and modules.
    """
    found = {name: file for package in packages for name, file in _below(root, package)}
    imported = cache(lambda name: frozenset(_imported(root, name)))
    modules = [name for name in found if _has_flyte(name, imported)]
    left_out = [
        file.relative_to(root)
        for name, file in found.items()
        if not any(f"{module}.".startswith(f"{name}.") for module in modules)
    ]
    return Walk(files=len(found), modules=modules, left_out=tuple(left_out))


def _below(root: Path, name: str) -> Iterator[tuple[str, Path]]:
    file = _file(root, name)
    if file is not None:
        yield name, file
    for module in pkgutil.iter_modules([str(root.joinpath(*name.split(".")).absolute())]):
        yield from _below(root, f"{name}.{module.name}")


def _file(root: Path, name: str) -> Path | None:
    path = root.joinpath(*name.split("."))
    candidates = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _has_flyte(name: str, imported: Callable[[str], frozenset[str]]) -> bool:
    seen: set[str] = set()
    ahead = {name}
    while ahead:
        if any(module.partition(".")[0] in _FLYTEKIT for module in ahead):
            return True
        seen |= ahead
        ahead = {module for each in ahead for module in imported(each)} - seen
    return False


def _imported(root: Path, name: str) -> Iterator[str]:
    """What the file of a module below the root imports, wherever in the file. Nothing for a module of others."""
    file = _file(root, name)
    if file is None:
        return
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        # It is loaded, so that Python says what is wrong with it.
        yield _FLYTEKIT[0]
        return
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*parents, *([node.module] if node.module else [])])
            # A relative import outside of a package has no origin, and fails when it is loaded.
            for inner in [f"{origin}.{alias.name}" for alias in node.names if origin]:
                yield inner if _file(root, inner) else origin
