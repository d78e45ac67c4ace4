"""The floor of `make bench`: what no synth of this platform can do without.

An app that imports the CDK modules that the platform imports, and holds one empty stack.
"""

import ast
import importlib
import importlib.util
from pathlib import Path

import aws_cdk

ROOT = Path(__file__).parents[1]


def build(app: aws_cdk.App, variant: str) -> None:
    """Import what the platform imports from the CDK, and add an empty stack."""
    for module in cdk_modules():
        importlib.import_module(module)
    aws_cdk.Stack(app, variant)


def cdk_modules() -> list[str]:
    """The modules of the CDK that constructs and stacks import, such as ``aws_cdk.aws_s3``."""
    names = set()
    for folder in ("constructs", "stacks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return sorted(name for name in names if name.startswith("aws_cdk") and _is_module(name))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # `aws_cdk.Stack.x`: a name inside a module
        return False
