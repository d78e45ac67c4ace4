"""Templates of this work tree and of another commit, each synthesized by its own code in a process of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from aerodrome.plan.model import PlanError
from aerodrome.plan.templates import StackTemplate, read_assembly
from aerodrome.project import Project

# The end of what a synth said: the reason is there, below the frames of a traceback.
_LAST_LINES = 15
# Where the CDK wrote its report: the folder is gone when a reader looks for it.
_REPORT = re.compile(r"^.*validation-report\.json.*\n?", re.MULTILINE)


def synthesize(project: Project, tree: Path, environment: str, label: str) -> list[StackTemplate]:
    """The stacks of an environment, as the app in a folder makes them.

    It runs ``app.py`` as the CDK CLI does, with the context of the ``cdk.json`` beside it, this interpreter and the
    packages that are installed for it; the folder's own packages come first.

    Args:
        project: Whose tools to use.
        tree: The folder: a checkout of the project.
        environment: The environment's name.
        label: What to call the folder in a message.

    Raises:
        PlanError: It cannot be synthesized; with what the synth said.
    """
    settings = json.loads((tree / "cdk.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="aerodrome-plan-") as output:
        context = {
            **settings.get("context", {}),
            "env": environment,
            # What the CDK CLI sets. Without the paths a plan could name no construct.
            "aws:cdk:enable-path-metadata": True,
            "aws:cdk:version-reporting": settings.get("versionReporting", True),
            # Copies of assets are for a deploy; the templates are the same without.
            "aws:cdk:disable-asset-staging": True,
        }
        process = subprocess.run(
            [sys.executable, "app.py"],
            cwd=tree,
            env={
                **project.environment_variables(),
                "PYTHONPATH": os.pathsep.join(map(str, _source_roots(tree))),
                "PYTHONDONTWRITEBYTECODE": "1",
                # The rules of the house and of the security packs are for `make test` and a deploy, and take longer
                # than the synth. A plan can also be made against a commit that does not keep them: app.py leaves them
                # out when it reads the second of these; a commit from before it does so has to keep them.
                "CDK_VALIDATION": "false",
                "AERODROME_PLAN": "1",
                "CDK_OUTDIR": output,
                "CDK_CONTEXT_JSON": json.dumps(context),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode != 0:
            said = process.stderr.strip() or process.stdout.strip() or "nothing"
            raise PlanError(
                f"{environment} cannot be synthesized at {label}; what the synth said:\n{_end_of(said, environment)}"
            )
        return read_assembly(Path(output))


def _end_of(said: str, environment: str) -> str:
    lines = _REPORT.sub("", said).strip().splitlines()
    left_out = len(lines) - _LAST_LINES
    more = (
        [f"… and {left_out} more lines before these: run `make synth ENV={environment}` there"] if left_out > 0 else []
    )
    return "\n".join(f"  {line}" for line in [*more, *lines[-_LAST_LINES:]])


def resolve_commit(root: Path, ref: str) -> str:
    """The commit that a ref names, which has the app.

    Args:
        root: A folder in the repository.
        ref: A branch, tag or commit, as git takes it.

    Raises:
        PlanError: There is no git, no repository, no such ref, or no app at that commit.
    """
    if shutil.which("git") is None:
        raise PlanError("comparing with a commit needs git, which is not installed; or compare with AWS: --live")
    if _git(root, "rev-parse", "--is-inside-work-tree").returncode != 0:
        raise PlanError(f"{root} is in no git repository, so there is no commit to compare with; use --live")
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.returncode != 0:
        raise PlanError(
            f"--against {ref}: git knows no such commit; name a branch, a tag or a commit that `git log` shows here "
            "(`git fetch` brings those of others)"
        )
    commit = found.stdout.decode().strip()
    # "./" is this folder, which need not be the top of the repository.
    if _git(root, "cat-file", "-e", f"{commit}:./app.py").returncode != 0:
        raise PlanError(f"--against {ref}: there is no app.py at {commit[:7]}: the project was not there yet")
    return commit


@contextmanager
def checkout(root: Path, commit: str) -> Iterator[Path]:
    """A temporary folder with the files of a commit. The repository and the work tree stay as they are.

    Args:
        root: The project's folder, which may lie inside a larger repository.
        commit: The commit.

    Raises:
        PlanError: git cannot give the files.
    """
    archive = _git(root, "archive", "--format=tar", commit)
    if archive.returncode != 0:
        raise PlanError(f"git cannot give the files of {commit}: {archive.stderr.decode(errors='replace').strip()}")
    with tempfile.TemporaryDirectory(prefix="aerodrome-plan-") as folder:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", *arguments],  # noqa: S607 - git is wherever it is installed
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def _source_roots(tree: Path) -> list[Path]:
    """The folders with a package of ours: imports look there before they look at what is installed."""
    return sorted({package.parent.parent for package in tree.glob("*/aerodrome*/__init__.py")})
