"""Build the app with the context of its ``cdk.json`` and synthesize it; as a program, in a fresh process."""

import importlib
import importlib.util
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from aws_cdk import App

from pytest_cdk.assembly import Assembly
from pytest_cdk.errors import PytestCdkError, among
from pytest_cdk.settings import read_context

AppFunction = Callable[[App, str], None]


def load_app_function(app: str, root: Path) -> AppFunction:
    """Find the function that builds the app.

    Args:
        app: ``module:function``, or ``file.py:function`` with the file relative to ``root``.
        root: The project's folder.

    Raises:
        PytestCdkError: The option is empty or not of this form, or there is no such module, file or function.
    """
    place, separator, name = app.partition(":")
    if not (place and separator and name):
        raise PytestCdkError(
            f"the option cdk_app is {app!r}; name the function that builds the app, "
            "(app: aws_cdk.App, variant: str) -> None, as module:function or file.py:function"
        )
    module = _load_file(root / place) if place.endswith(".py") else _load_module(place)
    function: object = getattr(module, name, None)
    if not callable(function):
        functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise PytestCdkError(f"cdk_app = {app!r}: {place} has no function {name!r}; {among(name, functions)}")
    return function


def synthesize(function: AppFunction, variant: str, *, cdk_json: Path, outdir: Path, stage_assets: bool) -> Assembly:
    """Build and synthesize one variant of the app.

    Args:
        function: Adds the stacks of a variant to an app.
        variant: The variant to build.
        cdk_json: Where the context comes from.
        outdir: The folder of the cloud assembly.
        stage_assets: Whether to copy assets into the assembly. Templates are the same either way; without the copies
            the asset manifests name the assets where they lie.
    """
    context = dict(read_context(cdk_json))
    if not stage_assets:
        context["aws:cdk:disable-asset-staging"] = True
    # Traces show where in jsii's own program a construct was made: the CDK sees no Python.
    context["aws:cdk:disable-creation-stack-traces"] = True
    # Analytics would add a resource that changes with every module used; the tree is for graphical tools only.
    app = App(outdir=str(outdir), context=context, stack_traces=False, analytics_reporting=False, tree_metadata=False)
    function(app, variant)
    app.synth()
    return Assembly(variant=variant, directory=outdir)


def _load_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise PytestCdkError(f"{path} does not exist; the option cdk_app names it")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that exists and lacks one of its own imports is the app's fault, and its traceback says where.
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        raise PytestCdkError(
            f"no module {name!r}, which the option cdk_app names; "
            "install the project, or give the file as file.py:function"
        ) from None


def main() -> int:
    """Synthesize the variants given on the command line, each into a folder of its own below ``--outdir``."""
    parser = ArgumentParser(prog="python -m pytest_cdk.synth", description=main.__doc__)
    parser.add_argument("--app", required=True, help="module:function or file.py:function")
    parser.add_argument("--root", required=True, type=Path, help="the project's folder")
    parser.add_argument("--cdk-json", required=True, type=Path)
    parser.add_argument("--outdir", required=True, type=Path)
    parser.add_argument("variants", nargs="+")
    arguments = parser.parse_args()
    try:
        function = load_app_function(arguments.app, arguments.root)
        for variant in arguments.variants:
            outdir = arguments.outdir / variant
            synthesize(function, variant, cdk_json=arguments.cdk_json, outdir=outdir, stage_assets=True)
    except PytestCdkError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
