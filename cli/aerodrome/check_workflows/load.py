"""Finds a package of workflows, and has it loaded by the interpreter that has flytekit."""

import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aerodrome.check_workflows.facts import Package, read
from aerodrome.check_workflows.walk import walk
from aerodrome.project import PROJECT

_PROBE = Path(__file__).with_name("probe.py")
_REMEDIES: Mapping[str, str] = {
    # flytekit.core.base_task.TaskMetadata
    "timeout should be duration": "write timeout=timedelta(minutes=5), or a number of seconds",
}
"""What to write instead, by how a message of flytekit's begins that says only what is wrong."""
SLOW = "aerodrome-slow: "
"""How the line begins in which the probe says, as JSON, what it has been at for a minute. The same is in probe.py."""


class LoadError(Exception):
    """A package that cannot be loaded. The message says why, in a line for the reader, or a line for each problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a package is.

    Attributes:
        root: The folder that Python imports it from.
        modules: What is imported.
        files: How many files there are. Default: not counted, as one file is named.
        left_out: Those that are not imported, as they have nothing of Flyte, seen from the root.
    """

    root: Path
    modules: Sequence[str]
    files: int = 0
    left_out: Sequence[Path] = ()


def default_python() -> Path:
    """The interpreter that ``make workflows`` sets up, or this one where it did not."""
    own = PROJECT.flytekit_tools / "python"
    return own if own.exists() else Path(sys.executable)


def source(package: str) -> Source:
    """Find a package by its path, as ``pyflyte register`` takes it, or by its name, as ``pyflyte package`` does.

    Of a folder or a package, only the files that have something of Flyte are to be loaded; a file always is.

    Args:
        package: A folder or a Python file, or the dotted name of a package or module in the current folder or in
            ``workflows/`` of the project.

    Raises:
        LoadError: If there is none, or nothing of Flyte in it.
    """
    path = Path(package)
    if path.is_dir() and not (path / "__init__.py").exists():
        modules = sorted(module.name for module in pkgutil.iter_modules([str(path.absolute())]))
        if not modules:
            raise LoadError(f"{package}: no Python file in this folder; name the folder or the file of the workflows")
        return _walked(package, path, modules)
    if path.exists():
        if path.is_file() and path.suffix != ".py":
            raise LoadError(f"{package}: not a Python file; name the folder or the file of the workflows")
        root, module = _module(path.resolve())
        return Source(root=root, modules=[module]) if path.is_file() else _walked(package, root, [module])
    roots = (Path.cwd(), PROJECT.root / "workflows")
    for root in roots:
        if all(part.isidentifier() for part in package.split(".")):
            below = root.joinpath(*package.split("."))
            if below.is_dir():
                return _walked(package, root, [package])
            if below.with_suffix(".py").is_file():
                return Source(root=root, modules=[package])
    looked = " or ".join(str(root) for root in dict.fromkeys(roots))
    raise LoadError(f"{package}: neither a folder or file here, nor a package or module in {looked}; name one of these")


def load(where: Source, python: Path, slow: Callable[[str], None]) -> Package:
    """Load a package, and read what it would register.

    Args:
        where: The package.
        python: The interpreter that has flytekit and what the package imports.
        slow: What to do with a line for the reader about a package that has been loading for a minute.

    Raises:
        LoadError: If the interpreter cannot do it, or the package does not import or serialize.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [str(python), str(_PROBE), str(report), str(where.root), *where.modules]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise LoadError(
                f"{python}: no Python interpreter that can be started ({error.strerror}); name with --python the one "
                "that has flytekit and what the package imports"
            ) from None
        with process:
            try:
                last = _heard(process.stderr or (), where, slow)
            except BaseException:  # Ctrl-C, too: what hangs in an import may not hear it
                process.kill()
                raise
        if not report.exists():
            raise LoadError(f"{python} ended with status {process.returncode} while it loaded the package: {last}")
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


def _module(path: Path) -> tuple[Path, str]:
    """A file's or package's root, the nearest folder above that is no package, as ``pyflyte`` has it; and its name."""
    root = path.parent
    while (root / "__init__.py").exists():
        root = root.parent
    return root, ".".join(path.relative_to(root).with_suffix("").parts)


def _walked(package: str, root: Path, names: Sequence[str]) -> Source:
    found = walk(root, names)
    if not found.modules:
        files = "its one file does not import" if found.files == 1 else f"none of its {found.files} files imports"
        raise LoadError(f"{package}: {files} flytekit; name the folder or the file that has functions with @task")
    return Source(root=root, modules=found.modules, files=found.files, left_out=found.left_out)


def _heard(lines: Iterable[str], where: Source, slow: Callable[[str], None]) -> str:
    """Listen to the probe until it ends, and return its last words."""
    last = "it said nothing"
    for line in lines:
        if line.startswith(SLOW):
            at_work = json.loads(line.removeprefix(SLOW))
            at = f", at {here(at_work['place'], where)}: {at_work['line']}" if at_work else ""
            slow(f"still loading after a minute{at}; Ctrl-C ends it")
        elif line.strip():
            last = line.strip()
    return last


def _told(error: Mapping[str, Any], where: Source, python: Path) -> str:
    if error["kind"] == "NoFlytekit":
        return (
            f"{python} has no flytekit ({error['message']}); run `make check-workflows`, which installs it, or name "
            "with --python the interpreter that has it and what the package imports"
        )
    place = here(error["place"], where) if error["place"] else ", ".join(where.modules)
    mend = "mend this line, since `pyflyte register` would stop at it, too"
    if error["problems"]:
        told = [f"{place}: {problem}" for problem in error["problems"]]
        return "\n".join([*told, f"{place}: the package does not load; {mend}"])
    message = f"{place}: the package does not load: {error['kind']}: {error['message']}"
    if error["missing"]:
        return f"{message}; install it for {python}, or name with --python the interpreter that has it"
    remedies = [remedy for words, remedy in _REMEDIES.items() if error["message"].startswith(words)]
    return "; ".join([message, *remedies, mend])
