"""Stacks as the code stands, deployed to an embedded AWS."""

import aws_cdk as cdk
import pytest

from aerodrome_local.deploy import deploy_assembly
from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.batch_stack import BatchStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.network_stack import NetworkStack
from pytest_cdk.settings import Settings
from pytest_cdk.synth import AppFunction, synthesize
from tests.local.account import Account


def deployed(
    build: AppFunction,
    environment: Environment,
    aws: EmbeddedAws,
    settings: Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Account:
    """Synthesize stacks with their assets, which those of the fixture ``cdk_assembly`` lack, and deploy them.

    Args:
        build: Adds the stacks to an app.
        environment: What they are made of.
        aws: Where they go.
        settings: Where the app's context is.
        tmp_path_factory: Makes the folder of the cloud assembly.
    """
    outdir = tmp_path_factory.mktemp("cdk.out")
    assembly = synthesize(
        build, environment.name, cdk_json=settings.cdk_json, outdir=outdir, stage_assets=True
    ).directory
    return Account(aws=aws, environment=environment, assembly=assembly, stacks=deploy_assembly(assembly, aws.endpoint))


def build_queues(app: cdk.App, _variant: str, *, environment: Environment) -> None:
    """Add the queues of an environment, and of its other stacks only what they need."""
    keys = KeysStack(app, "Keys", environment=environment).ports
    network = NetworkStack(app, "Network", environment=environment, log_key=keys.logs).ports
    BatchStack(app, "Batch", environment=environment, network=network, log_key=keys.logs)
