"""A project of a few lines in a git repository of its own: an app that writes the templates that a file gives it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from aerodrome.main import app

ENVIRONMENTS = Path(__file__).parents[3] / "environments"
STACKS = "stacks.json"

# What the CDK writes, as far as a plan reads it.
APP = """
import json, os, sys
from pathlib import Path

context = json.loads(os.environ["CDK_CONTEXT_JSON"])
out = Path(os.environ["CDK_OUTDIR"])
stacks = json.loads(Path("stacks.json").read_text())
if stacks == "broken":
    sys.exit("NoSuchStackError: nothing to synthesize")
artifacts = {}
for name, stack in stacks.items():
    (out / f"{name}.json").write_text(json.dumps(stack["template"]))
    artifacts[name] = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://111122223333/us-east-1",
        "properties": {
            "templateFile": f"{name}.json",
            "stackName": f"aerodrome-{context['env']}-{name.lower()}",
            "terminationProtection": stack.get("protected", False),
        },
    }
(out / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
"""

Stacks = dict[str, Any]


def resource(resource_type: str, path: str = "", **attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A resource with properties, and attributes such as DeletionPolicy given in their own spelling."""
    metadata = {"Metadata": {"aws:cdk:path": path}} if path else {}
    policies: list[str] = [key for key in ("DeletionPolicy", "UpdateReplacePolicy") if key in attributes]
    beside = {key: attributes.pop(key) for key in policies}
    return {"Type": resource_type, "Properties": attributes, **beside, **metadata}


def stacks(*, protected: bool = False, **resources: Any) -> Stacks:  # noqa: ANN401 - JSON
    """One stack, Storage, with resources by logical ID."""
    return {"Storage": {"template": {"Resources": resources}, "protected": protected}}


class PlanProject:
    """A project in a folder, and its command."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "environments").mkdir()
        for file in ENVIRONMENTS.glob("*.yaml"):
            shutil.copy(file, root / "environments")
        (root / "app.py").write_text(APP, encoding="utf-8")
        (root / "cdk.json").write_text("{}", encoding="utf-8")

    def write(self, content: Stacks | str) -> None:
        """What the app makes from now on."""
        (self.root / STACKS).write_text(json.dumps(content), encoding="utf-8")

    def allow(self, *names: str) -> None:
        """Name resources in dev.yaml, with a reason."""
        entries = "".join(
            f"  - resource: {name}\n    reason: the data was copied to the new one before\n" for name in names
        )
        with (self.root / "environments" / "dev.yaml").open("a", encoding="utf-8") as file:
            file.write(f"\nallowed_replacements:\n{entries}")

    def git(self, *arguments: str) -> None:
        """Run git here, with no settings but these."""
        identity = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.com"}
        committer = {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.com"}
        nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        subprocess.run(
            ["git", *arguments],  # noqa: S607 - git is wherever it is installed
            cwd=self.root,
            env={**os.environ, **identity, **committer, **nobody},
            check=True,
            capture_output=True,
        )

    def commit(self, content: Stacks | str) -> None:
        """Commit what the app makes."""
        self.write(content)
        self.git("add", "--all")
        self.git("commit", "--message", "a change", "--allow-empty")

    def plan(self, *arguments: str) -> Result:
        """Run ``aerodrome plan -e dev``."""
        return CliRunner().invoke(app, ["plan", "-e", "dev", *arguments])
