"""Loads a package of Flyte workflows the way ``pyflyte package`` does, and writes what propeller would be given of it.

A program of its own: it runs in the interpreter that has flytekit and the package's own requirements, which is not the
one of the ``aerodrome`` command, so it imports nothing but flytekit. Nothing is registered, and no image is built.

    python probe.py REPORT SOURCE_ROOT MODULE...

REPORT is the file that gets the JSON: either ``error``, or ``tasks``, ``workflows``, ``launch_plans`` and the
``schedules`` of those. What takes more than a minute is told in a line on stderr that begins with SLOW: JSON of what it
is at.
"""

import importlib
import inspect
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

# Beside this file lie modules of the command, whose names a package may use, too.
sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]

BATCH = "aws-batch"
IMAGE = "image.invalid/given-when-registered:check"
REFUSED = "RefusedError"
"""What flytekit_aws_batch raises: a problem a line, of a task with a line above them that names it."""
SLOW = "aerodrome-slow: "
MIXINS = frozenset(f"{how}{what}ExecutorMixin" for how in ("Async", "Sync") for what in ("Agent", "Connector"))
"""What tasks inherit from that a connector may start. Before 1.16 flytekit called connectors agents."""
PATIENCE = 60.0
"""Seconds until it says that it is still loading."""


def main() -> None:
    """Load the modules and write the report."""
    report, root, *modules = sys.argv[1:]
    timer = threading.Timer(PATIENCE, lambda: print(SLOW + json.dumps(at_work(root)), file=sys.__stderr__, flush=True))
    timer.daemon = True
    timer.start()
    try:
        found = probe(root, modules)
    except BaseException as error:  # noqa: BLE001 - whatever a stranger's module raises or exits with is the answer
        found = {"error": told(error, root)}
    timer.cancel()
    Path(report).write_text(json.dumps(found), encoding="utf-8")


def probe(root: str, modules: list[str]) -> dict[str, Any]:
    """Load the modules, and serialize every task, workflow and launch plan that they made."""
    try:
        from flytekit.configuration import ImageConfig, SerializationSettings  # noqa: PLC0415 - its absence is told
        from flytekit.core.context_manager import FlyteContextManager, FlyteEntities  # noqa: PLC0415 - as above
        from flytekit.image_spec.image_spec import ImageBuildEngine  # noqa: PLC0415 - as above
        from flytekit.models.admin.workflow import WorkflowSpec  # noqa: PLC0415 - as above
        from flytekit.models.launch_plan import LaunchPlan  # noqa: PLC0415 - as above
        from flytekit.models.task import TaskSpec  # noqa: PLC0415 - as above
        from flytekit.tools.serialize_helpers import get_registrable_entities  # noqa: PLC0415 - as above
    except ModuleNotFoundError as missing:
        return {"error": {"kind": "NoFlytekit", "message": str(missing)}}
    # Serializing a task with an ImageSpec builds and pushes its image.
    ImageBuildEngine.build = lambda *_arguments, **_options: None
    sys.path.insert(0, root)
    settings = SerializationSettings(image_config=ImageConfig.auto(img_name=IMAGE), source_root=root)
    with FlyteContextManager.with_context(
        FlyteContextManager.current_context().with_serialization_settings(settings)
    ) as context:
        for module in modules:
            importlib.import_module(module)
        specs = get_registrable_entities(context)
        entities = {entity.name: entity for entity in FlyteEntities.entities}
    return {
        "tasks": [
            {"template": as_json(spec.template), **facts_of(entities.get(spec.template.id.name), root)}
            for spec in specs
            if isinstance(spec, TaskSpec)
        ],
        "workflows": [
            {"name": template.id.name, "nodes": [as_json(node) for node in template.nodes]}
            for spec in specs
            if isinstance(spec, WorkflowSpec)
            for template in (spec.template, *spec.sub_workflows)
        ],
        "launch_plans": [spec.id.name for spec in specs if isinstance(spec, LaunchPlan)],
        "schedules": [
            {"launch_plan": spec.id.name, "concurrency": limit and limit.max_concurrency}
            for spec in specs
            if isinstance(spec, LaunchPlan) and spec.spec.entity_metadata.schedule
            for limit in [spec.spec.concurrency_policy]
        ],
    }


def as_json(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a model of flytekit's, which ships no types
    """What flyteadmin gets of a model, by the names of the protobuf fields."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415 - comes with flytekit

    return dict(MessageToDict(model.to_flyte_idl(), preserving_proto_field_name=True))


def facts_of(entity: Any, root: str) -> dict[str, Any]:  # noqa: ANN401 - whatever flytekit keeps of the package
    """What the serialized task does not say: where it is written, what it maps over, what it calls at run time."""
    from flytekit.core.array_node_map_task import ArrayNodeMapTask  # noqa: PLC0415 - as above
    from flytekit.core.legacy_map_task import MapPythonTask  # noqa: PLC0415 - as above

    mapped = None
    if isinstance(entity, ArrayNodeMapTask):
        mapped = entity.python_function_task
    elif isinstance(entity, MapPythonTask):
        mapped = entity.run_task
    # That of flytekit_aws_batch keeps the task that it runs for each element to itself.
    written = getattr(entity, "_function", entity) if mapped is None else mapped
    function = getattr(written, "task_function", None)
    dynamic = getattr(getattr(entity, "execution_mode", None), "name", "") == "DYNAMIC"
    called = list(entities_called(function)) if dynamic and function is not None else []
    return {
        "place": None if function is None else place_of(function, root),
        "maps": None if mapped is None else {"name": mapped.name, "type": mapped.task_type},
        "dynamic": dynamic,
        "connector": not MIXINS.isdisjoint(
            base.__name__ for base in type(entity if mapped is None else mapped).__mro__
        ),
        "calls": sorted({name for called_entity in called for name in batch_tasks_in(called_entity)}),
        "references": [reference for called_entity in called for reference in references_in(called_entity)],
    }


def place_of(function: Any, root: str) -> str | None:  # noqa: ANN401 - anything that a task may be made of
    """File and line of a function, the file as it is reached from the source root."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else f"{os.path.relpath(code.co_filename, root)}:{code.co_firstlineno}"


def entities_called(function: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Everything that a function names. What it computes at run time is not seen."""
    function = inspect.unwrap(function)
    names = set(names_in(function.__code__))
    known = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    for name in names & known.keys():
        value = known[name]
        yield from [getattr(value, other, None) for other in names] if isinstance(value, ModuleType) else [value]


def names_in(code: CodeType) -> Iterator[str]:
    """Every name in a function's code, and in that of the functions within it."""
    yield from (*code.co_names, *code.co_freevars)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def batch_tasks_in(entity: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """The Batch tasks that an entity is or holds. A launch plan is an execution of its own, which gets its queue."""
    from flytekit.core.base_task import PythonTask  # noqa: PLC0415 - as above
    from flytekit.core.reference_entity import ReferenceEntity  # noqa: PLC0415 - as above
    from flytekit.core.workflow import WorkflowBase  # noqa: PLC0415 - as above

    if isinstance(entity, ReferenceEntity):  # a task by its class, with nothing of one but its name
        return
    if isinstance(entity, PythonTask) and entity.task_type == BATCH:
        yield entity.name
    elif isinstance(entity, WorkflowBase):
        for node in entity.nodes:
            yield from batch_tasks_in(node.flyte_entity)


def references_in(entity: Any) -> Iterator[dict[str, str]]:  # noqa: ANN401 - as above
    """What an entity is, or holds, that was registered before: where, and by which name."""
    from flytekit.core.reference_entity import ReferenceEntity  # noqa: PLC0415 - as above
    from flytekit.core.workflow import WorkflowBase  # noqa: PLC0415 - as above

    if isinstance(entity, ReferenceEntity):
        of = entity.reference
        kind = of.id.resource_type_name().lower().replace("_", " ")
        yield {"kind": kind, "project": of.project, "domain": of.domain, "name": of.name}
    elif isinstance(entity, WorkflowBase):
        for node in entity.nodes:
            yield from references_in(node.flyte_entity)


def told(error: BaseException, root: str) -> dict[str, Any]:
    """What went wrong and where in the package: the innermost line of its own, or of the file that does not parse."""
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename is not None:
        frames.append((error.filename, error.lineno))
    own = [(file, line) for file, line in frames if is_own(file, root)]
    return {
        "kind": type(error).__name__,
        "message": " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split()),
        "problems": problems_of(str(error)) if type(error).__name__ == REFUSED else [],
        "missing": getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None,
        "place": f"{os.path.relpath(own[-1][0], root)}:{own[-1][1]}" if own else None,
    }


def problems_of(refusal: str) -> list[str]:
    """The problems of a refusal, each with what they are of, where the first line says that."""
    lines = [" ".join(line.split()) for line in refusal.splitlines() if line.strip()]
    if lines[1:] and all(line.startswith("- ") for line in lines[1:]):
        return [f"{lines[0]} {line[2:]}" for line in lines[1:]]
    return lines


def at_work(root: str) -> dict[str, str] | None:
    """The innermost line of the package that is running, and where it is. None if flytekit itself is being loaded."""
    frames = sys._current_frames()  # noqa: SLF001 - in the library reference; no other way to look into a thread
    stack = traceback.extract_stack(frames[threading.main_thread().ident or 0])
    own = [frame for frame in stack if is_own(frame.filename, root)]
    if not own:
        return None
    return {"place": f"{os.path.relpath(own[-1].filename, root)}:{own[-1].lineno}", "line": own[-1].line or ""}


def is_own(file: str, root: str) -> bool:
    """Whether a file is of the package, and not a library that is installed below its root."""
    path = Path(file).resolve()
    # What dataclasses and the like make at run time is in no file, but in "<string>".
    others = "site-packages" in Path(file).parts or path == Path(__file__).resolve() or file.startswith("<")
    return path.is_relative_to(Path(root).resolve()) and not others


if __name__ == "__main__":
    main()
