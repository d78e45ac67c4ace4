"""Does the same commit synthesize the same bytes, wherever and whenever it is built?"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from itertools import islice
from pathlib import Path

from pytest_cdk.errors import PytestCdkError
from pytest_cdk.settings import Settings

# What may differ between two machines that synthesize the same commit: the order of Python's sets, the date line, the
# language. Etc/GMT-14 and Etc/GMT+12 are never on the same day.
_MACHINES: Mapping[str, Mapping[str, str]] = {
    "first": {"PYTHONHASHSEED": "1", "TZ": "Etc/GMT-14", "LANG": "C.UTF-8"},
    "second": {"PYTHONHASHSEED": "4242", "TZ": "Etc/GMT+12", "LANG": "tr_TR.UTF-8"},
}

_DIFF_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Determinism:
    """Synthesizes every variant twice and compares.

    Attributes:
        settings: The project's options.
        directory: An empty folder to work in.
    """

    settings: Settings
    directory: Path

    def check(self) -> None:
        """Synthesize every variant in two fresh processes, assets staged, and compare templates and asset manifests.

        The processes write to different folders and differ in hash seed, time zone and language. Asset manifests name
        assets by their content, so a file that differs shows too.

        Raises:
            PytestCdkError: The synth failed, the files differ, or one of them holds the project's path or the
                output's, so that another checkout would synthesize something else.
        """
        runs = {name: self._start(name, environment) for name, environment in _MACHINES.items()}
        for name, run in runs.items():
            output, _ = run.communicate()
            if run.returncode:
                raise PytestCdkError(f"the {name} of two fresh synths failed:\n{output}")
        first, second = (self._files(name) for name in _MACHINES)
        if not first:
            raise PytestCdkError("the synth wrote no template; does cdk_app add stacks to its App?")
        problems = [f"{name}: written by one synth only" for name in sorted(first.keys() ^ second.keys())]
        for name in sorted(first.keys() & second.keys()):
            if first[name] != second[name]:
                problems.append(_difference(name, first[name], second[name]))
            problems += [
                f"{name}: holds {path}, a path of this machine"
                for path in (self.settings.root, self.directory)
                if str(path) in first[name]
            ]
        if problems:
            raise PytestCdkError("two synths of the same code differ:\n" + "\n".join(problems))

    def _start(self, name: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        options = {
            "--app": self.settings.app,
            "--root": self.settings.root,
            "--cdk-json": self.settings.cdk_json,
            "--outdir": self.directory / name,
        }
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest_cdk.synth"),
                *(f"{option}={value}" for option, value in options.items()),
                *self.settings.variants,
            ],
            cwd=self.settings.root,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _files(self, name: str) -> dict[str, str]:
        directory = self.directory / name
        files = [*directory.rglob("*.template.json"), *directory.rglob("*.assets.json")]
        return {str(path.relative_to(directory)): path.read_text(encoding="utf-8") for path in files}


def _difference(name: str, first: str, second: str) -> str:
    lines = unified_diff(first.splitlines(), second.splitlines(), f"first/{name}", f"second/{name}", lineterm="", n=1)
    return "\n".join(islice(lines, _DIFF_LINES))
