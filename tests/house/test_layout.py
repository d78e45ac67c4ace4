"""Where things are: docs/adr/0001-source-roots.md."""

import ast
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import PurePosixPath

# Folders with Python that are no source roots.
NO_SOURCE_ROOTS = {
    "tests": "test files, which pytest imports by path",
    "tools": "scripts of this repository, run from its root and never installed",
}

# Folders of projects that are installed by themselves, each a source root: connectors/flytekit_aws_batch/.
PROJECTS = {"connectors"}

# What mypy reads of libraries that ship no types.
TYPINGS = {"workflows/typings"}

MOST_LINES = 300
# A test file is read one test at a time.
MOST_LINES_OF_TESTS = 600

# Files that are longer, and why that reads better than two files.
LONGER = {
    "tools/bench.py": "one program: the measures, and the page whose rows they are",
}


# Tests with a configuration of their own, as they run in other environments.
ELSEWHERE = {"tests/workflows/flyte", "tests/connectors/flytekit", "tests/connectors/flyte2"}


def test_no_python_file_lies_directly_in_constructs_or_stacks(modules: Mapping[str, ast.Module]) -> None:
    """One would make a package of the folder, and ``constructs`` would hide the package that the CDK imports."""
    assert [name for name in modules if name.startswith("constructs/")], "the listing is broken"
    wrong = [name for name in modules if PurePosixPath(name).parent.as_posix() in ("constructs", "stacks")]
    assert not wrong


def source_roots(modules: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """The folders with Python that should be source roots, each with the folders of Python in it."""
    roots: dict[str, set[str]] = {}
    for name in modules:
        parts = PurePosixPath(name).parts
        depth = 2 if parts[0] in PROJECTS else 1
        if len(parts) > depth and parts[0] not in NO_SOURCE_ROOTS:
            roots.setdefault("/".join(parts[:depth]), set()).add(parts[depth])
    assert {"constructs", "stacks", "connectors/flytekit_aws_batch"} <= roots.keys(), "the listing is broken"
    return roots


def test_every_source_root_holds_one_package_and_at_most_its_tests(modules: Mapping[str, ast.Module]) -> None:
    for root, folders in source_roots(modules).items():
        packages = folders - {"tests"}
        assert len(packages) == 1, f"{root}/ holds {sorted(packages)}; expected one package"
        package = f"{root}/{packages.pop()}"
        assert f"{package}/__init__.py" in modules, f"{package} has no __init__.py"


def test_every_source_root_is_known_to_ruff_mypy_the_wheel_and_import_linter(
    modules: Mapping[str, ast.Module], texts: Mapping[str, str]
) -> None:
    project = tomllib.loads(texts["pyproject.toml"])
    roots = source_roots(modules)
    packages = {f"{root}/{folder}" for root, folders in roots.items() for folder in folders - {"tests"}}
    tools = project["tool"]
    assert set(tools["ruff"]["src"]) == set(tools["mypy"]["mypy_path"]) - TYPINGS == {*roots, "tools"}
    installed = set(tools["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert installed == packages
    assert {PurePosixPath(package).name for package in installed} == set(tools["importlinter"]["root_packages"])


def test_no_python_file_is_longer_than_a_person_can_hold_in_mind(
    modules: Mapping[str, ast.Module], texts: Mapping[str, str]
) -> None:
    lengths = {name: texts[name].count("\n") for name in modules}
    most = {name: MOST_LINES_OF_TESTS if "tests/" in name else MOST_LINES for name in modules}
    long = {name: lines for name, lines in lengths.items() if lines > most[name]}
    unlisted = {name: lines for name, lines in long.items() if name not in LONGER}
    assert not unlisted, f"split these, or say in LONGER why not: {unlisted}"
    assert not LONGER.keys() - long.keys(), "these are short enough now: take them off the list"


def test_every_test_is_collected(modules: Mapping[str, ast.Module], texts: Mapping[str, str]) -> None:
    """A test file with another name, or in another folder, would never run and never fail."""
    settings = tomllib.loads(texts["pyproject.toml"])["tool"]["pytest"]
    # These run in an environment of their own, which the others leave out, and take all of their folder.
    for folder in ELSEWHERE:
        assert folder in settings["norecursedirs"]
        assert f"pytest -c {folder}/pytest.toml {folder}\n" in texts["Makefile"]
        assert tomllib.loads(texts[f"{folder}/pytest.toml"])["pytest"]["python_files"] == settings["python_files"]
    files = {name for name, module in modules.items() if any(is_test(node) for node in ast.walk(module))}
    assert "tests/house/test_layout.py" in files, "the listing is broken"

    def is_collected(name: str) -> bool:
        below = any(PurePosixPath(name).is_relative_to(path) for path in settings["testpaths"])
        return below and any(fnmatch(PurePosixPath(name).name, pattern) for pattern in settings["python_files"])

    assert not [name for name in sorted(files) if not is_collected(name)]
    empty = [name for name in modules if is_collected(name) and name not in files]
    assert not empty, "test files without a test"


def is_test(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
