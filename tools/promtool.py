"""promtool, which checks and tests Prometheus' rules: ``.venv/bin/python tools/promtool.py`` says where it is.

The one on the PATH, if there is one. Else that of Debian's package ``prometheus``, unpacked into ``.promtool/`` by apt
and dpkg without a right to install anything: the package is verified as apt verifies every other.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[1] / ".promtool"

_PACKAGE = "prometheus"
_BY_HAND = (
    "put promtool of Prometheus 2.40 or newer on the PATH: it is in the package prometheus of Debian, Ubuntu and "
    "Homebrew, and in the archives on https://prometheus.io/download/"
)


class NoPromtoolError(RuntimeError):
    """There is no promtool, and none can be had here."""


def promtool(home: Path = HOME) -> Path:
    """Find promtool, or unpack it.

    Args:
        home: The folder that it is unpacked into.

    Returns:
        Where it is.

    Raises:
        NoPromtoolError: There is none, and no apt that could get it; or apt could not.
    """
    unpacked = home / "usr" / "bin" / "promtool"
    if found := shutil.which("promtool"):
        return Path(found)
    if not unpacked.is_file():
        _unpack(home)
    return unpacked


def _unpack(home: Path) -> None:
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise NoPromtoolError(f"there is no promtool, and without {program} it cannot be fetched here: {_BY_HAND}")
    packages = home / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    # Without lists apt knows no package, and a list of last month may name one that the archive no longer has.
    problem = _download(packages)
    if problem:
        _refresh_lists(home)
        problem = _download(packages, home)
    archives = sorted(packages.glob(f"{_PACKAGE}_*.deb"))
    if problem or not archives:
        raise NoPromtoolError(f"apt-get has no package {_PACKAGE}: {problem or 'nothing came'}\n{_BY_HAND}")
    # Next to where it belongs, and moved there when it is whole: a run that is broken off leaves no half of it.
    partial = home / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    _run(["dpkg-deb", "--extract", str(archives[-1]), str(partial)])
    (home / "usr" / "bin").mkdir(parents=True, exist_ok=True)
    (partial / "usr" / "bin" / "promtool").replace(home / "usr" / "bin" / "promtool")
    for folder in (partial, packages, home / "apt"):
        shutil.rmtree(folder, ignore_errors=True)


def _download(packages: Path, home: Path | None = None) -> str:
    """Download the package; what went wrong, or nothing."""
    options = _own_lists(home) if home else []
    done = subprocess.run(
        ["apt-get", *options, "download", _PACKAGE],  # noqa: S607 - the machine's own, wherever it has it
        check=False,
        cwd=packages,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    return "" if done.returncode == 0 else done.stderr.strip()


def _own_lists(home: Path) -> list[str]:
    # The machine's lists are root's. Ours lie beside what they are for; sources and keys are the machine's.
    state = home / "apt"
    options = {"Dir::State::Lists": state / "lists", "Dir::Cache": state / "cache", "Debug::NoLocking": "true"}
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def _refresh_lists(home: Path) -> None:
    for folder in ("lists/partial", "cache/archives/partial"):
        (home / "apt" / folder).mkdir(parents=True, exist_ok=True)
    _run(["apt-get", *_own_lists(home), "update"])


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    except subprocess.CalledProcessError as error:
        raise NoPromtoolError(f"{' '.join(command)}: {error.stderr.strip()}\n{_BY_HAND}") from error


def main() -> int:
    """Print where promtool is.

    Returns:
        0, or 1 if there is none and none can be had.
    """
    try:
        print(promtool())
    except NoPromtoolError as error:
        print(f"aerodrome: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
