"""The modules that add to MiniStack what the platform's stacks need."""

import importlib

from aerodrome_local.runtime import Runtime

EXTENSIONS = (
    "resources.cloudformation",
    "resources.ec2",
    "resources.ec2_describe",
    "resources.ec2_vpc_ranges",
    "resources.iam",
    "resources.kms",
    "resources.s3",
    "resources.s3_inventory",
    "resources.backup",
    "resources.secretsmanager",
    "resources.eks",
    "resources.lambda_functions",
    "resources.sts",
    "resources.sns",
    "resources.ses",
    "resources.cloudwatch",
    "resources.acm",
    "resources.route53",
    "resources.waf",
    "resources.budgets",
    "resources.fsx",
    "resources.cost_explorer",
    "resources.data_exports",
    "resources.ecr",
    "resources.cdk",
    "kubernetes",
    "resources.step_functions",
    "resources.batch",
    "resources.events",
    "resources.rds",
)
"""Modules below this package, in the order in which their ``install(runtime)`` runs."""


def install_all(runtime: Runtime) -> None:
    """Install every extension."""
    for name in EXTENSIONS:
        importlib.import_module(f"aerodrome_local.{name}").install(runtime)
