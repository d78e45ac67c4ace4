"""Charts are copied out of classic repositories, so that Helm finds them in a registry."""

import gzip
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from aerodrome.mirror.items import Item
from aerodrome.mirror.push import Outcome
from kubectl_layer import kubectl_layer
from tests.cli.mirror.conftest import Mirror
from tests.cli.mirror.registry_server import Held, digest

COPY = "mirror/charts/shop"
ABOUT = {"apiVersion": "v2", "name": "shop", "description": "Sells: all", "type": "application"}


def archive(version: str = "v1.2.3", **more: object) -> bytes:
    """A packaged chart."""
    files = {
        "shop/Chart.yaml": yaml.safe_dump({**ABOUT, "version": version, **more}),
        "shop/values.yaml": "replicas: 1\n",
        "shop/templates/note.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\n",
    }
    content = io.BytesIO()
    # The same whenever it is packed.
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as packed:
        for name, text in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(text.encode())
            packed.addfile(about, io.BytesIO(text.encode()))
    return content.getvalue()


def publish(held: Held, *charts: bytes, promised: str | None = None) -> None:
    """Put charts into a classic repository, with an index as Helm writes it."""
    entries: dict[str, list[dict[str, Any]]] = {
        "shop-tools": [{**ABOUT, "name": "shop-tools", "version": "v1.2.3", "urls": ["https://example.com/no"]}],
        "shop": [],
    }
    for number, content in enumerate(charts):
        with tarfile.open(fileobj=io.BytesIO(content)) as packed:
            member = packed.extractfile("shop/Chart.yaml")
            assert member is not None
            about = yaml.safe_load(member.read())
        held.files[f"/charts/archives/{number}.tgz"] = content
        entry = {
            **about,
            # A version of something else, and a text that looks like a part of the index.
            "dependencies": [{"name": "database", "version": "v9.9.9", "repository": ""}],
            "annotations": {"changes": "- one\n- version: v9.9.9\n"},
            "digest": (promised or digest(content)).removeprefix("sha256:"),
            "urls": [f"archives/{number}.tgz"],
        }
        entries["shop"].append(entry)
    held.files["/charts/index.yaml"] = yaml.safe_dump({"apiVersion": "v1", "entries": entries}).encode()


def item(held: Held, *, version: str = "v1.2.3", pinned: str | None = None) -> Item:
    return Item(
        kind="chart",
        name=f"shop {version}",
        source=f"http://{held.address}/charts",
        version=version,
        repository=COPY,
        tag=version.replace("+", "_"),
        pinned=pinned,
    )


def problem(outcome: Outcome) -> str:
    assert outcome.copied is None
    assert outcome.problem is not None
    return outcome.problem


def test_a_chart_is_put_as_helm_would_put_it(source: Held, target: Held, mirror: Mirror) -> None:
    content = archive()
    publish(source, archive("v1.2.2"), content, archive("v1.2.4"))

    copied = mirror.push(item(source)).copied

    assert copied is not None
    assert copied.digest == digest(content)
    kind, body = target.manifests[COPY, "v1.2.3"]
    manifest = json.loads(body)
    assert kind == manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
    assert [layer["mediaType"] for layer in manifest["layers"]] == [
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
    ]
    assert target.blobs[COPY, manifest["layers"][0]["digest"]] == content
    assert json.loads(target.blobs[COPY, manifest["config"]["digest"]]) == {**ABOUT, "version": "v1.2.3"}


@pytest.mark.parametrize("version", ["v1.2.3", "1.2.3", "1.2.3+build.1"])
def test_helm_finds_the_chart_by_its_version(
    source: Held, target: Held, mirror: Mirror, tmp_path: Path, version: str
) -> None:
    # As the Lambda function does that installs it: `helm pull oci://... --version ... --untar`.
    publish(source, archive(version))
    assert mirror.push(item(source, version=version)).copied is not None
    helm = kubectl_layer().helm
    home = {name: str(tmp_path / name) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HOME")}

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [helm, *arguments], check=False, capture_output=True, text=True, timeout=60, env=home, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr

    run("registry", "login", target.address, "--username", "AWS", "--password", "secret", "--plain-http")
    run("pull", f"oci://{target.address}/{COPY}", "--version", version, "--untar", "--plain-http")

    assert yaml.safe_load((tmp_path / "shop" / "Chart.yaml").read_text())["version"] == version
    assert (tmp_path / "shop" / "values.yaml").read_text() == "replicas: 1\n"


def test_a_second_run_sends_nothing(source: Held, target: Held, mirror: Mirror, lock_file: Path) -> None:
    publish(source, archive())
    mirror.push(item(source))
    target.writes.clear()
    assert f'  "shop v1.2.3": {digest(archive())}\n' in lock_file.read_text()

    for _ in ("locked", "not locked"):
        copied = mirror.push(item(source)).copied
        assert copied is not None
        assert copied.present
        lock_file.unlink(missing_ok=True)
    assert target.writes == []


def test_an_archive_is_held_to_the_digest_of_the_index(source: Held, target: Held, mirror: Mirror) -> None:
    publish(source, archive(), promised=digest(b"other"))

    assert f"the repository's index promises {digest(b'other')}" in problem(mirror.push(item(source)))
    assert target.writes == []


def test_an_archive_is_held_to_the_digest_of_the_release(source: Held, target: Held, mirror: Mirror) -> None:
    publish(source, archive())

    assert "was locked or pinned" in problem(mirror.push(item(source, pinned=digest(b"other"))))
    assert target.writes == []
    assert mirror.push(item(source, pinned=digest(archive()))).copied is not None


def test_a_chart_that_was_published_anew_is_refused(source: Held, mirror: Mirror, target: Held) -> None:
    publish(source, archive())
    mirror.push(item(source))
    publish(source, archive(home="https://example.com"))
    del target.manifests[COPY, "v1.2.3"]

    assert "somebody put another thing under the same name" in problem(mirror.push(item(source)))


def test_another_archive_under_the_tag_is_refused(source: Held, mirror: Mirror, target: Held, lock_file: Path) -> None:
    publish(source, archive())
    mirror.push(item(source))
    lock_file.unlink()
    publish(source, archive(home="https://example.com"))
    target.writes.clear()

    assert "has another archive than" in problem(mirror.push(item(source)))
    assert target.writes == []


def test_a_version_that_is_not_there_is_named(source: Held, mirror: Mirror) -> None:
    publish(source, archive())

    for version in ("v9.9.9", "1.2.3"):
        assert f"has no chart shop in version {version}" in problem(mirror.push(item(source, version=version)))


def test_what_is_no_chart_is_refused(source: Held, mirror: Mirror) -> None:
    publish(source, archive())
    source.files["/charts/archives/0.tgz"] = b"<html>"
    source.files["/charts/index.yaml"] = source.files["/charts/index.yaml"].replace(
        digest(archive()).removeprefix("sha256:").encode(), digest(b"<html>").removeprefix("sha256:").encode()
    )

    assert problem(mirror.push(item(source))).startswith("chart shop: what came is no packaged chart")


def test_a_repository_that_is_not_there_is_told(source: Held, mirror: Mirror) -> None:
    assert "status 404; see that release.yaml names the right repository" in problem(mirror.push(item(source)))


def test_a_chart_in_a_registry_is_copied_and_known_by_its_archive(source: Held, target: Held, mirror: Mirror) -> None:
    publish(source, archive())
    mirror.push(item(source))
    # What was pushed becomes what is published: from one registry to the next.
    source.blobs = {("charts/shop", name): content for (_, name), content in target.blobs.items()}
    source.manifests = {("charts/shop", name): found for (_, name), found in target.manifests.items()}
    first = dict(target.manifests)
    target.manifests.clear()
    target.blobs.clear()
    in_registry = Item(
        kind="chart",
        name="shop v1.2.3",
        source=f"{source.address}/charts/shop",
        version="v1.2.3",
        repository=COPY,
        tag="v1.2.3",
        pinned=digest(archive()),
    )

    copied = mirror.push(in_registry).copied

    assert copied is not None
    assert copied.digest == digest(archive())
    assert target.manifests == first


def test_an_image_in_the_place_of_a_chart_is_refused(source: Held, mirror: Mirror) -> None:
    source.add_image("charts/shop", "v1.2.3")
    in_registry = item(source)
    wrong = Item(
        kind="chart",
        name=in_registry.name,
        source=f"{source.address}/charts/shop",
        version="v1.2.3",
        repository=COPY,
        tag="v1.2.3",
        pinned=None,
    )

    assert "is no chart" in problem(mirror.push(wrong))
