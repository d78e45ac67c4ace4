"""An environment that has what none of ours has, so that what only it installs is held against the same rules."""

from pathlib import Path
from typing import Final

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.document import parse
from aerodrome_stacks.environment.load import validate
from aerodrome_stacks.platform import build_platform
from pytest_cdk.assembly import Assembly
from pytest_cdk.synth import synthesize
from tests.templates import ROOT

EVERYTHING: Final = "everything"
"""What it is called among the environments."""

_REGISTRY: Final = "777788889999.dkr.ecr.us-east-1.amazonaws.com"


def everything() -> Environment:
    """Production, closed and with a mirror, with GPUs, shards, connectors and limits, and without what tells others."""
    values, _ = parse((ROOT / "environments" / "prod.yaml").read_bytes())
    assert isinstance(values, dict)
    values["network"] |= {"private": True, "nat_gateways": 0}
    values["images"] = "mirror"
    values["cluster"]["spot_nodes"].append(
        {"name": "gpu", "instance_types": ["g6.2xlarge", "g5.2xlarge"], "max_size": 4}
    )
    values["flyte"] |= {
        "propeller_shards": 3,
        "connectors": {"warehouse": {"image": f"{_REGISTRY}/warehouse-connector:1.4.0", "task_types": ["snowflake"]}},
        "resource_limits": {"connector-service": 20, "k8s-array": 500},
        "notifications": False,
        "events": False,
    }
    return validate("prod", values, Path("prod.yaml"))


def synthesized(outdir: Path) -> Assembly:
    """Its templates."""
    environment = everything()
    return synthesize(
        lambda app, _: build_platform(app, environment),
        EVERYTHING,
        cdk_json=ROOT / "cdk.json",
        outdir=outdir,
        stage_assets=False,
    )
