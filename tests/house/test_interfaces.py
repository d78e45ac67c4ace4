"""What constructs and stacks take and give: frozen, keyword-only, documented."""

import ast
import re
from collections.abc import Iterator, Mapping

import pytest

# Where each name ends so is the public interface between parts.
INTERFACES = {"constructs/aerodrome_constructs/": "Props", "stacks/aerodrome_stacks/": "Ports"}


def classes(modules: Mapping[str, ast.Module], folder: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """Every public class below a folder, with the file and name by which a failure names it."""
    for name, module in modules.items():
        if name.startswith(folder):
            for node in module.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield f"{name}:{node.lineno} {node.name}", node


def dataclass_options(node: ast.ClassDef) -> set[str] | None:
    """The options that a dataclass switches on, or nothing for a class that is no dataclass."""
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        function = call.func if call else decorator
        if isinstance(function, ast.Name) and function.id == "dataclass":
            keywords = call.keywords if call else []
            return {k.arg for k in keywords if k.arg and isinstance(k.value, ast.Constant) and k.value.value is True}
    return None


def documented(node: ast.ClassDef, section: str) -> dict[str, str]:
    """The entries of one section of a Google docstring, name to text."""
    lines = (ast.get_docstring(node) or "").splitlines()
    if f"{section}:" not in lines:
        return {}
    entries: dict[str, str] = {}
    for line in lines[lines.index(f"{section}:") + 1 :]:
        if line and not line.startswith(" "):
            break
        if entry := re.match(r" {4}(\w+): (.+)", line):
            entries[entry[1]] = entry[2]
    return entries


@pytest.mark.parametrize(("folder", "suffix"), INTERFACES.items())
def test_props_and_ports_are_frozen_slotted_keyword_only_and_documented_field_by_field(
    modules: Mapping[str, ast.Module], folder: str, suffix: str
) -> None:
    found = [(place, node) for place, node in classes(modules, folder) if node.name.endswith(suffix)]
    assert len(found) > 3, "the listing is broken"
    problems = []
    for place, node in found:
        if missing := {"frozen", "slots", "kw_only"} - (dataclass_options(node) or set()):
            problems.append(f"{place}: not {', '.join(sorted(missing))}")
        fields = {
            item.target.id
            for item in node.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        }
        entries = documented(node, "Attributes")
        problems += [f"{place}: {name} is not in Attributes" for name in sorted(fields - entries.keys())]
        problems += [f"{place}: {name} is documented and no field" for name in sorted(entries.keys() - fields)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("folder", INTERFACES)
def test_every_dataclass_is_frozen(modules: Mapping[str, ast.Module], folder: str) -> None:
    options = {
        place: options for place, node in classes(modules, folder) if (options := dataclass_options(node)) is not None
    }
    assert options, "the listing is broken"
    assert not [place for place, found in options.items() if not {"frozen", "slots"} <= found]


def constructors(modules: Mapping[str, ast.Module], folder: str) -> Iterator[tuple[str, ast.ClassDef, ast.arguments]]:
    """The constructors whose first parameter is a scope, that is, those of constructs and stacks."""
    for place, node in classes(modules, folder):
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                parameters = [*item.args.posonlyargs, *item.args.args]
                if len(parameters) > 1 and parameters[1].arg == "scope":
                    yield place, node, item.args


def test_constructs_take_scope_id_and_props_or_documented_keywords(modules: Mapping[str, ast.Module]) -> None:
    found = list(constructors(modules, "constructs/"))
    assert len(found) > 5, "the listing is broken"
    problems = []
    for place, node, arguments in found:
        taken = [argument.arg for argument in arguments.args]
        if taken not in (["self", "scope", "construct_id"], ["self", "scope", "construct_id", "props"]):
            problems.append(f"{place}: takes {taken}; expected scope, construct_id, and props or keywords only")
        props = arguments.args[-1]
        if props.arg == "props" and (props.annotation is None or ast.unparse(props.annotation) != f"{node.name}Props"):
            problems.append(f"{place}: props are no {node.name}Props")
        problems += undocumented(place, node, arguments)
    assert not problems, "\n".join(problems)


def test_stacks_take_scope_id_and_then_keywords_with_the_environment_among_them(
    modules: Mapping[str, ast.Module],
) -> None:
    found = list(constructors(modules, "stacks/"))
    assert len(found) > 5, "the listing is broken"
    problems = []
    for place, _, arguments in found:
        taken = [argument.arg for argument in arguments.args]
        keywords = {argument.arg for argument in arguments.kwonlyargs}
        if taken != ["self", "scope", "construct_id"] or "environment" not in keywords:
            problems.append(f"{place}: takes {taken}, {keywords}; expected scope, construct_id, *, environment, ports")
    assert not problems, "\n".join(problems)


def undocumented(place: str, node: ast.ClassDef, arguments: ast.arguments) -> list[str]:
    """The keyword-only parameters that the class's docstring does not explain."""
    entries = documented(node, "Args")
    return [f"{place}: {k.arg} is not in Args" for k in arguments.kwonlyargs if k.arg not in entries]
