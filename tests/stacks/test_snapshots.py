"""Every template of every environment is compared with the one that somebody reviewed, and linted."""

import json

from cfnlint import lint_file
from cfnlint.config import ManualArgs

from pytest_cdk import AssemblyFactory, CdkSnapshot, Determinism

# Where the environments are. Another region may lack a resource type: lint for the one that is deployed to.
REGION = "us-east-1"


def test_templates(cdk_variant: str, cdk_assembly: AssemblyFactory, cdk_snapshot: CdkSnapshot) -> None:
    cdk_snapshot.check_templates(cdk_assembly(cdk_variant))


def test_stateful_resources(cdk_variant: str, cdk_assembly: AssemblyFactory, cdk_snapshot: CdkSnapshot) -> None:
    cdk_snapshot.check_stateful(cdk_assembly(cdk_variant))


def test_synth_is_deterministic(cdk_determinism: Determinism) -> None:
    cdk_determinism.check()


def test_synth_looks_nothing_up_in_an_account(cdk_variant: str, cdk_assembly: AssemblyFactory) -> None:
    manifest = json.loads((cdk_assembly(cdk_variant).directory / "manifest.json").read_text())

    assert manifest["artifacts"]
    assert "missing" not in manifest


def test_cfn_lint_finds_no_error(cdk_variant: str, cdk_assembly: AssemblyFactory) -> None:
    templates = sorted(cdk_assembly(cdk_variant).directory.glob("*.template.json"))
    assert templates
    errors = [
        f"{template.name}: {match}"
        for template in templates
        for match in lint_file(template, config=ManualArgs(regions=[REGION]))
        if match.rule.severity == "error"
    ]
    assert errors == []
