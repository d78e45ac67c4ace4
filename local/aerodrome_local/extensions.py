"""The modules that add to MiniStack what the platform's stacks need."""

import importlib
import importlib.util

from aerodrome_local.runtime import Runtime

EXTENSIONS = (
    "resources.ec2",
    "resources.ec2_describe",
    "resources.iam",
    "resources.s3",
    "resources.secretsmanager",
    "resources.eks",
    "resources.budgets",
    "resources.cdk",
    "kubernetes",
    "resources.batch",
    "resources.rds",
)
"""Modules below this package, in the order in which their ``install(runtime)`` runs."""


def install_all(runtime: Runtime) -> None:
    """Install every extension."""
    for name in EXTENSIONS:
        module_name = f"aerodrome_local.{name}"
        if importlib.util.find_spec(module_name) is None:
            continue
        importlib.import_module(module_name).install(runtime)
