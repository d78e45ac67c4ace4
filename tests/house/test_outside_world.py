"""Below ``app.py`` nothing reads the outside: a commit synthesizes the same templates anywhere, offline."""

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

# Dotted names that reach an account, the network, the environment, the clock or chance. ruff's banned-api holds for the
# whole repository, where most of these are right in other folders; here they are looked for in two.
OUTSIDE = (
    *("boto3", "botocore"),
    *("http.client", "httpx", "requests", "socket", "urllib.request", "urllib3"),
    *("os.environ", "os.environb", "os.getenv", "os.getenvb"),
    *("datetime.date.today", "datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow"),
    *("time.gmtime", "time.localtime", "time.monotonic", "time.perf_counter", "time.time", "time.time_ns"),
    *("random", "secrets", "uuid.uuid1", "uuid.uuid4"),
    *("os.system", "subprocess"),
)

# The CDK's own way to the outside: `Vpc.from_lookup`, `StringParameter.value_from_lookup`. They ask an account.
LOOKUP = re.compile(r"\w*from_lookup$")

# Code that runs in a Lambda, not in the synth.
HANDLER = re.compile(r"/\w+_handler/")


def outside_names(module: ast.Module) -> Iterator[str]:
    """Find the names in a module that reach the outside, under whatever alias."""
    bound: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from matching(alias.name)
                bound[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield from matching(f"{node.module}.{alias.name}")
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute):
            if LOOKUP.match(node.attr):
                yield node.attr
            yield from matching(dotted(node, bound))


def matching(name: str) -> list[str]:
    return [name] if any(name == outside or name.startswith(f"{outside}.") for outside in OUTSIDE) else []


def dotted(node: ast.expr, bound: Mapping[str, str]) -> str:
    """The full name of ``a.b.c``, with ``a`` replaced by what was imported as ``a``; empty if nothing was."""
    if isinstance(node, ast.Name):
        return bound.get(node.id, "")
    if isinstance(node, ast.Attribute):
        start = dotted(node.value, bound)
        return f"{start}.{node.attr}" if start else ""
    return ""


def test_constructs_and_stacks_read_nothing_from_outside(modules: Mapping[str, ast.Module]) -> None:
    inside = {
        name: module
        for name, module in modules.items()
        if name.startswith(("constructs/", "stacks/")) and not HANDLER.search(name)
    }
    assert len(inside) > 20, "the listing is broken"
    found = {name: sorted(names) for name, module in inside.items() if (names := set(outside_names(module)))}
    assert not found, f"let app.py read it and hand it down: {found}"


@pytest.mark.parametrize(
    "code",
    [
        "import boto3",
        "import boto3.session as session",
        "from boto3 import client",
        "from botocore.config import Config",
        "import requests",
        "import urllib.request",
        "from urllib.request import urlopen",
        "from urllib import request",
        "import urllib\nurllib.request.urlopen",
        "import socket",
        "import os\nos.environ['HOME']",
        "import os as system\nsystem.getenv('HOME')",
        "from os import environ",
        "from os import getenv as get",
        "import datetime\ndatetime.datetime.now()",
        "import datetime as dt\ndt.date.today()",
        "from datetime import datetime\ndatetime.utcnow()",
        "from datetime import datetime as d, UTC\nd.now(UTC)",
        "import time\ntime.time()",
        "from time import time",
        "import random",
        "from uuid import uuid4",
        "from aws_cdk import aws_ec2 as ec2\nec2.Vpc.from_lookup(self, 'Vpc')",
        "ssm.StringParameter.value_from_lookup(self, 'name')",
    ],
)
def test_every_way_outside_is_found(code: str) -> None:
    assert list(outside_names(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "from datetime import timedelta\ntimedelta(days=1)",
        "import datetime\ndatetime.timedelta(days=1)",
        "import os\nos.path.join('a', 'b')",
        "from urllib.parse import quote",
        "from uuid import uuid5",
        "now = clock.now()",
        "from aws_cdk import aws_secretsmanager as secrets\nsecrets.Secret(self, 'Secret')",
    ],
)
def test_what_only_looks_like_it_is_not(code: str) -> None:
    assert not list(outside_names(ast.parse(code)))


def test_make_test_runs_the_linters_that_keep_the_other_rules(root: Path, texts: Mapping[str, str]) -> None:
    """Import directions are import-linter's, suppressions and style ruff's, types mypy's: CI runs them all."""
    # Inside `make test` make would take this one for its own and want to share its job slots.
    outside_make = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--dry-run", "test"]
    planned = subprocess.run(command, cwd=root, env=outside_make, check=True, capture_output=True, text=True).stdout
    for tool in ("ruff check .", "lint-imports", "mypy .", "pytest"):
        assert tool in planned, tool
    assert "make test" in texts[".ci/run"]
    contracts = tomllib.loads(texts["pyproject.toml"])["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert layers == ["aerodrome", "aerodrome_stacks", "aerodrome_constructs"]
