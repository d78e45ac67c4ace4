"""The picture in README.md is the one that the code draws, and what it leaves out is left out for a reason."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_cdk import AssemblyFactory

ROOT = Path(__file__).parents[2]


def _load_tool() -> ModuleType:
    # tools/ holds programs, not a package: they are run, and here loaded, from their file.
    spec = importlib.util.spec_from_file_location("diagram", ROOT / "tools" / "diagram.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


diagram = _load_tool()


def _stack(name: str, uses: Iterable[str] = (), releases: tuple[str, ...] = (), **resources: int) -> Any:  # noqa: ANN401 - a class of the loaded module
    types = {kind.replace("_", "::"): number for kind, number in resources.items()}
    return diagram.DrawnStack(name=name, uses=frozenset(uses), resources=types, releases=releases)


def test_the_readme_shows_the_picture_that_the_code_draws(cdk_assembly: AssemblyFactory) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    picture = diagram.draw(diagram.read_stacks(cdk_assembly("dev").directory))
    assert diagram.put_between_marks(readme, picture) == readme, "run `make diagram`, and look at what it changed"


def test_every_stack_of_the_platform_is_drawn(cdk_assembly: AssemblyFactory) -> None:
    assembly = cdk_assembly("dev")
    stacks = diagram.read_stacks(assembly.directory)
    assert stacks.keys() == assembly.stacks.keys()
    picture = diagram.draw(stacks)
    assert [name for name in stacks if f"<b>{name}</b>" not in picture] == []


def test_every_stack_has_something_to_show_for_itself(cdk_assembly: AssemblyFactory) -> None:
    stacks = diagram.read_stacks(cdk_assembly("dev").directory)
    assert {name: stack.label for name, stack in stacks.items() if stack.label == "0 IAM roles"} == {}


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    stacks = {
        "App": _stack("App", uses=["Data", "Keys", "Network"]),
        "Data": _stack("Data", uses=["Keys"]),
        "Keys": _stack("Keys"),
        "Network": _stack("Network"),
    }
    assert diagram.arrows(stacks) == [("App", "Data"), ("App", "Network"), ("Data", "Keys")]


def test_a_label_counts_what_the_stack_is_for_and_names_releases() -> None:
    assert _stack("Data", AWS_S3_Bucket=2, AWS_IAM_Role=3, AWS_EC2_VPC=1).label == "1 VPC<br/>2 S3 buckets"
    assert _stack("Roles", AWS_IAM_Role=1).label == "1 IAM role"
    assert _stack("Charts", releases=("b", "a"), AWS_S3_Bucket=2).label == "b<br/>a"


def test_an_assembly_without_stacks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"artifacts": {}}', encoding="utf-8")
    with pytest.raises(ValueError, match="has no stacks"):
        diagram.read_stacks(tmp_path)


def test_a_page_without_the_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="the picture goes between them"):
        diagram.put_between_marks("no marks here", "picture")


def test_the_picture_replaces_what_is_between_the_marks_and_nothing_else() -> None:
    page = f"before\n{diagram.BEGIN}\nold\n{diagram.END}\nafter\n"
    assert diagram.put_between_marks(page, "new") == f"before\n{diagram.BEGIN}\nnew\n{diagram.END}\nafter\n"
