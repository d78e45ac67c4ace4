"""Where things are in the project that the command belongs to."""

import os
from dataclasses import dataclass
from pathlib import Path


class NotInstalledError(Exception):
    """Something that ``make setup`` installs is missing. The message says what, and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The checkout that this command was installed from.

    Attributes:
        root: Its top folder, which holds ``cdk.json``.
    """

    root: Path

    @property
    def environments(self) -> Path:
        """The folder of the environments, relative to where the command was typed: messages name its files."""
        return Path(os.path.relpath(self.root / "environments"))

    @property
    def embedded_aws_state(self) -> Path:
        """Where the embedded AWS keeps its state, unless told otherwise."""
        return self.root / ".aerodrome" / "local"

    @property
    def tools(self) -> Path:
        """The folder of python, node and npm."""
        return self.root / ".venv" / "bin"

    @property
    def flytekit_tools(self) -> Path:
        """The folder of flytekit's commands. It is not there where no Python is one that flytekit takes."""
        return self.root / ".venv-workflows" / "bin"

    @property
    def node_modules(self) -> Path:
        """Where npm installs the CDK CLI."""
        return self.root / "node_modules"

    @property
    def cdk(self) -> Path:
        """The CDK CLI, as pinned by package.json.

        Raises:
            NotInstalledError: If it is not there.
        """
        return _installed(self.node_modules / ".bin" / "cdk", "the CDK CLI")

    @property
    def embedded_aws_python(self) -> Path:
        """The interpreter of the embedded AWS's own virtual environment.

        Raises:
            NotInstalledError: If it is not there.
        """
        return _installed(self.root / ".venv-local" / "bin" / "python", "the embedded AWS")

    def environment_variables(self) -> dict[str, str]:
        """The caller's environment variables, with the project's own python, node and npm found first.

        Variables that could lead to a real AWS account are left out: what is run with these knows no credentials.
        """
        others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **others,
            "PATH": f"{self.tools}{os.pathsep}{others.get('PATH', os.defpath)}",
            # Batch jobs of the embedded AWS run on this machine, with this interpreter and what is installed for it, or
            # with flytekit's.
            "AERODROME_JOB_PATH": os.pathsep.join(map(str, (self.tools, self.flytekit_tools))),
            "PYTHONPATH": str(self.root / "local"),
        }


def _installed(path: Path, what: str) -> Path:
    if not path.exists():
        raise NotInstalledError(f"{what} is not installed: there is no {path}; run `make setup`")
    return path


PROJECT = Project(root=Path(__file__).resolve().parents[2])
"""The checkout that this package lies in: the project is installed in place."""
