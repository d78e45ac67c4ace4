"""Environments that take images from another place than their publishers, with everything that can be installed."""

from pathlib import Path

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.document import parse
from aerodrome_stacks.environment.load import validate
from aerodrome_stacks.platform import build_platform
from pytest_cdk.assembly import Assembly
from pytest_cdk.synth import synthesize
from tests.templates import ROOT

ECR = "777788889999.dkr.ecr.us-east-1.amazonaws.com"


def with_images(images: str) -> Environment:
    """Production with its images from somewhere, GPUs, and a limit on what tasks share, whose store is a pod."""
    values, _ = parse((ROOT / "environments" / "prod.yaml").read_bytes())
    assert isinstance(values, dict)
    gpu = {"name": "gpu", "instance_types": ["g6.2xlarge", "g5.2xlarge"], "max_size": 4}
    values["cluster"]["spot_nodes"].append(gpu)
    flyte = {**values.get("flyte", {}), "resource_limits": {"k8s-array": 20}}
    return validate("prod", {**values, "images": images, "flyte": flyte}, Path("prod.yaml"))


def synthesized_with(images: str, outdir: Path) -> Assembly:
    """The templates of that environment."""
    environment = with_images(images)
    return synthesize(
        lambda app, _: build_platform(app, environment),
        images,
        cdk_json=ROOT / "cdk.json",
        outdir=outdir,
        stage_assets=False,
    )
