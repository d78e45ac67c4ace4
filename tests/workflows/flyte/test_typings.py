"""The types in ``workflows/typings``, by which mypy checks our workflows, name what flytekit has."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TYPINGS = Path(__file__).parents[3] / "workflows" / "typings"

# What conditional() gives step by step is where nobody imports it from; what its `else_` gives has no name there.
ELSEWHERE = {
    ("flytekit", "ConditionalSection"): ("flytekit.core.condition", "ConditionalSection"),
    ("flytekit", "Case"): ("flytekit.core.condition", "Case"),
    ("flytekit", "Condition"): ("flytekit.core.condition", "Condition"),
    ("flytekit", "ElseCase"): ("flytekit.core.condition", "Case"),
}


def stubs() -> Iterator[tuple[Any, ast.stmt]]:
    """Each function and class of the stubs, with flytekit's own."""
    for file in sorted(TYPINGS.rglob("*.pyi")):
        module = ".".join(file.relative_to(TYPINGS).with_suffix("").parts).removesuffix(".__init__")
        for statement in ast.parse(file.read_text("utf-8")).body:
            if isinstance(statement, ast.ClassDef) and statement.name.startswith("_"):
                continue  # What has no name in flytekit.
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                owner, name = ELSEWHERE.get((module, statement.name), (module, statement.name))
                yield getattr(importlib.import_module(owner), name), statement


def functions() -> Iterator[tuple[Any, ast.FunctionDef]]:
    """Each function and method of the stubs, with flytekit's own."""
    for own, statement in stubs():
        if isinstance(statement, ast.FunctionDef):
            yield own, statement
        elif isinstance(statement, ast.ClassDef):
            for method in statement.body:
                if isinstance(method, ast.FunctionDef):
                    yield getattr(own, method.name), method


def test_every_argument_is_one_of_flytekits() -> None:
    # flytekit takes `cache_version` and other older arguments of the cache with **kwargs.
    older = {"cache_version"}
    compared = 0
    for own, stub in functions():
        if isinstance(own, property):
            continue
        named = {argument.arg for argument in (*stub.args.args, *stub.args.kwonlyargs)} - {"self", "cls"}
        accepted = set(inspect.signature(own).parameters)
        assert named - accepted - older == set(), stub.name
        compared += len(named)
    assert compared > 20, "the listing is broken"


def test_every_property_is_one() -> None:
    said = {
        stub.name: isinstance(own, property)
        for own, stub in functions()
        if any(ast.unparse(decorator) == "property" for decorator in stub.decorator_list)
    }
    assert "working_directory" in said, "the listing is broken"
    assert [name for name, is_property in said.items() if not is_property] == []


def test_a_task_still_takes_the_older_arguments_of_the_cache() -> None:
    flytekit: Any = importlib.import_module("flytekit")
    made = flytekit.task(cache=True, cache_version="7")(test_a_task_still_takes_the_older_arguments_of_the_cache)
    assert made.metadata.cache_version == "7"
