"""Checks the templates of every environment with checkov, offline: ``python tools/checkov_templates.py``.

checkov has a virtual environment of its own (``tools/checkov/requirements.in``), and here no network. What it finds and
should not is listed in ``tools/checkov/skips.yaml`` with a reason; an entry that skips nothing is an error, too.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
SKIPS = ROOT / "tools" / "checkov" / "skips.yaml"
BUILD = ROOT / "build" / "checkov"


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that a resource fails.

    Attributes:
        check: The check's ID, such as ``CKV_AWS_18``.
        asks: What it asks for, in checkov's words.
        environment: The environment whose template it is.
        resource: The stack and the logical ID, such as ``Storage/AccessLogs247031D9``.
    """

    check: str
    asks: str
    environment: str
    resource: str


@dataclass(frozen=True, slots=True)
class Skip:
    """A check that does not hold for some resources.

    Attributes:
        check: The check's ID.
        resources: Which resources: patterns of stack and logical ID in which ``*`` stands for anything.
        reason: Why.
    """

    check: str
    resources: tuple[str, ...]
    reason: str


def read_skips(file: Path) -> list[Skip]:
    """Read the list of skips.

    Raises:
        ValueError: If an entry lacks its check, its resources or its reason.
    """
    skips = []
    for number, entry in enumerate(YAML(typ="safe").load(file), 1):
        missing = [key for key in ("check", "resources", "reason") if not entry.get(key)]
        if missing:
            raise ValueError(f"{file.name}: entry {number} has no {', '.join(missing)}; each has all three")
        skips.append(Skip(entry["check"], tuple(entry["resources"]), entry["reason"]))
    return skips


def problems(findings: Sequence[Finding], skips: Sequence[Skip]) -> Iterator[str]:
    """What is found and not skipped, and what is skipped and not found, a line each."""
    unused = {(skip.check, pattern) for skip in skips for pattern in skip.resources}
    for finding in findings:
        matching = {
            (check, pattern)
            for skip in skips
            if (check := skip.check) == finding.check
            for pattern in skip.resources
            if fnmatchcase(finding.resource, pattern)
        }
        unused -= matching
        if not matching:
            yield f"{finding.environment}/{finding.resource}: {finding.check}: {finding.asks}"
    for check, pattern in sorted(unused):
        yield f"{SKIPS.name}: {check}: no resource {pattern} fails it; take it off the list"


def synthesize(directory: Path) -> None:
    """Write the templates of every environment, each into a folder of its own, and nothing else."""
    assemblies, templates = directory / "assemblies", directory / "templates"
    shutil.rmtree(directory, ignore_errors=True)
    environments = sorted(file.stem for file in (ROOT / "environments").glob("*.yaml"))
    program = [sys.executable, "-m", "pytest_cdk.synth", "--app=app.py:build", f"--root={ROOT}"]
    places = [f"--cdk-json={ROOT / 'cdk.json'}", f"--outdir={assemblies}"]
    # The CDK's own validation belongs to the synth, not to this look at what came out of it.
    variables = os.environ | {"CDK_VALIDATION": "false"}
    subprocess.run([*program, *places, *environments], cwd=ROOT, env=variables, check=True)
    for file in assemblies.glob("*/*.template.json"):
        copy = templates / file.parent.name / f"{file.name.removesuffix('.template.json')}.json"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)


def run_checkov(directory: Path) -> list[Finding]:
    """Run checkov once over all templates, without the network.

    Raises:
        SystemExit: If checkov could not read a template, or failed.
    """
    options = ["--framework=cloudformation", "--skip-download", "--output=json", "--compact", "--quiet", "--soft-fail"]
    result = subprocess.run(
        [CHECKOV, f"--directory={directory}", *options], cwd=directory, check=False, capture_output=True, text=True
    )
    if result.returncode != 0:
        sys.exit(f"checkov failed:\n{result.stdout}{result.stderr}")
    report = json.loads(result.stdout)
    if report["summary"]["parsing_errors"]:
        sys.exit(f"checkov could not read: {', '.join(report['results']['parsing_errors'])}")
    return [_finding(check) for check in report["results"]["failed_checks"]]


def _finding(check: Mapping[str, str]) -> Finding:
    template = Path(check["file_path"])
    resource = f"{template.stem}/{check['resource'].rpartition('.')[2]}"
    return Finding(check["check_id"], check["check_name"], template.parent.name, resource)


def main() -> int:
    """Synthesize, check, and say what is wrong; 1 if something is."""
    synthesize(BUILD)
    skips = read_skips(SKIPS)
    findings = run_checkov(BUILD / "templates")
    wrong = list(problems(findings, skips))
    for line in wrong:
        print(line)
    if wrong:
        print(f"Mend what is found, or list it in {SKIPS.relative_to(ROOT)} with the reason why it is right.")
        return 1
    print(f"checkov: {len(findings)} findings, each listed in {SKIPS.relative_to(ROOT)} with its reason")
    return 0


if __name__ == "__main__":
    sys.exit(main())
