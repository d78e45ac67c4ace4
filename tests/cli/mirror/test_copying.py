"""Images are copied whole, once, and only if they are what they were."""

import json
from pathlib import Path

import pytest

from aerodrome.mirror.items import Item
from aerodrome.mirror.manifests import MirrorError
from aerodrome.mirror.push import Outcome
from tests.cli.mirror.conftest import Mirror
from tests.cli.mirror.registry_server import INDEX, MANIFEST, Held, digest, registry_server

BOX = "tools/box"
COPY = f"mirror/{BOX}"


def item(source: Held, *, tag: str = "v1", pinned: str | None = None) -> Item:
    name = f"{source.address}/{BOX}"
    return Item(kind="image", name=f"{name}:{tag}", source=name, version=tag, repository=COPY, tag=tag, pinned=pinned)


def problem(outcome: Outcome) -> str:
    assert outcome.copied is None
    assert outcome.problem is not None
    return outcome.problem


def held_under(held: Held, repository: str) -> set[str]:
    return {name for place in (held.blobs, held.manifests) for where, name in place if where == repository}


def test_an_image_is_copied_for_every_platform_and_to_the_byte(source: Held, target: Held, mirror: Mirror) -> None:
    known_by = source.add_image(BOX, "v1", ("amd64", "arm64", "s390x"))

    copied = mirror.push(item(source)).copied

    assert copied is not None
    assert (copied.digest, copied.present) == (known_by, False)
    assert held_under(target, COPY) == held_under(source, BOX)
    assert target.manifests[COPY, "v1"] == source.manifests[BOX, "v1"]
    # What platforms share is sent once: three configurations, three layers of their own and one of all.
    assert copied.uploaded == sum(len(content) for content in target.blobs.values())
    assert len([write for write in target.writes if write.startswith("POST")]) == 7


def test_an_image_of_one_platform_is_copied(source: Held, target: Held, mirror: Mirror) -> None:
    parts = {"config": source.add_blob(BOX, b"{}"), "layers": [source.add_blob(BOX, b"layer")]}
    known_by = source.add_manifest(BOX, {"schemaVersion": 2, "mediaType": MANIFEST, **parts}, "v1")

    copied = mirror.push(item(source)).copied

    assert copied is not None
    assert digest(target.manifests[COPY, "v1"][1]) == copied.digest == known_by


def test_a_second_run_sends_nothing_and_asks_nobody_else(source: Held, target: Held, mirror: Mirror) -> None:
    source.add_image(BOX, "v1")
    first = mirror.push(item(source)).copied
    target.writes.clear()
    source.reads.clear()

    second = mirror.push(item(source)).copied

    assert first is not None
    assert second is not None
    assert (second.digest, second.present, second.uploaded) == (first.digest, True, 0)
    assert (target.writes, source.reads) == ([], [])


def test_a_run_that_was_broken_off_is_taken_up_where_it_ended(source: Held, target: Held, mirror: Mirror) -> None:
    source.add_image(BOX, "v1")
    arm = digest(f"{BOX} v1 arm64".encode())
    whole = source.blobs.pop((BOX, arm))
    assert "there is no such thing" in problem(mirror.push(item(source)))
    assert (COPY, "v1") not in target.manifests, "an image that is not whole has no tag"
    sent = len([write for write in target.writes if write.startswith("POST")])
    target.writes.clear()

    source.blobs[BOX, arm] = whole
    copied = mirror.push(item(source)).copied

    assert copied is not None
    assert sent == 4
    assert copied.uploaded == len(whole)
    assert len([write for write in target.writes if write.startswith("POST")]) == 1


def test_a_registry_may_be_a_name_for_another_one(source: Held, target: Held, mirror: Mirror) -> None:
    # As registry.k8s.io and cr.flyte.org are: with a repository of another name, for which another token is wanted.
    known_by = source.add_image("backend/tools/box", "v1")
    with registry_server(Held()) as name:
        name.elsewhere[f"/v2/{BOX}/"] = f"http://{source.address}/v2/backend/tools/box/"

        copied = mirror.push(item(name)).copied

    assert copied is not None
    assert copied.digest == known_by
    assert held_under(target, COPY) == held_under(source, "backend/tools/box")


def test_a_blob_that_is_not_what_it_says_is_refused_and_not_kept(source: Held, target: Held, mirror: Mirror) -> None:
    source.add_image(BOX, "v1")
    layer = digest(f"{BOX} v1 amd64".encode())
    source.blobs[BOX, layer] = b"x" * len(source.blobs[BOX, layer])

    said = problem(mirror.push(item(source)))

    assert f"asked for {layer}" in said
    assert "it was not copied" in said
    assert (COPY, layer) not in target.blobs
    assert (COPY, "v1") not in target.manifests


def test_a_manifest_that_is_not_what_it_says_is_refused(source: Held, target: Held, mirror: Mirror) -> None:
    source.add_image(BOX, "v1", ("amd64",))
    (child,) = [name for (_, name), (kind, _) in source.manifests.items() if kind == MANIFEST]
    source.manifests[BOX, child] = (MANIFEST, source.manifests[BOX, child][1] + b" ")

    assert f"asked for {child}" in problem(mirror.push(item(source)))
    assert target.manifests == {}


def test_an_image_is_locked_when_it_is_first_copied(source: Held, mirror: Mirror, lock_file: Path) -> None:
    known_by = source.add_image(BOX, "v1")

    mirror.push(item(source))

    assert f'  "{source.address}/{BOX}:v1": {known_by}\n' in lock_file.read_text()


def test_a_tag_that_was_moved_since_it_was_locked_is_refused(
    source: Held, target: Held, mirror: Mirror, lock_file: Path
) -> None:
    name, before = f"{source.address}/{BOX}:v1", digest(b"what it was")
    lock_file.write_text(f'images:\n  "{name}": {before}\n')
    now = source.add_image(BOX, "v1")

    said = problem(mirror.push(item(source)))

    assert said == (
        f"{name}: is {now} now, and was {before} when it was locked or pinned: somebody put another thing under the "
        "same name; find out what changed, and take its line out of charts/images.lock.yaml if it is to be copied"
    )
    assert target.writes == []


def test_an_image_that_a_chart_pins_is_held_to_that(source: Held, mirror: Mirror, lock_file: Path) -> None:
    known_by = source.add_image(BOX, "v1")

    assert "was locked or pinned" in problem(mirror.push(item(source, pinned=digest(b"other"))))
    assert mirror.push(item(source, pinned=known_by)).copied is not None
    assert not lock_file.exists(), "what is pinned needs no lock"


def test_a_tag_of_the_mirror_never_moves(source: Held, target: Held, mirror: Mirror) -> None:
    source.add_image(BOX, "v1")
    there = digest(target.manifests.setdefault((COPY, "v1"), (INDEX, b'{"manifests": []}'))[1])

    said = problem(mirror.push(item(source)))

    assert said.startswith(f"{target.address}/{COPY}:v1: has {there}, and {source.address}/{BOX}:v1 is ")
    assert target.writes == []


def test_a_repository_that_is_not_there_is_to_be_deployed(source: Held, target: Held, mirror: Mirror) -> None:
    source.add_image(BOX, "v1")
    target.repositories = set()

    assert problem(mirror.push(item(source))) == (
        f"{target.address} has no repository {COPY}: deploy the stack Images first"
    )


def test_a_password_that_is_refused_is_told(source: Held, mirror: Mirror) -> None:
    source.add_image(BOX, "v1")

    assert "access is refused" in problem(mirror.push(item(source), password="wrong"))


def test_an_image_that_is_not_there_is_named(source: Held, mirror: Mirror) -> None:
    assert problem(mirror.push(item(source, tag="v9"))) == (
        f"{source.address}/{BOX}:v9: there is no such image; see that charts/images.yaml has its name and tag right"
    )


def test_a_kind_without_a_digest_of_its_own_is_refused(source: Held, mirror: Mirror) -> None:
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    source.add_manifest(BOX, {"schemaVersion": 1, "mediaType": kind}, "v1")

    assert f"is of the kind {kind}" in problem(mirror.push(item(source)))


def test_layers_that_no_registry_hands_on_are_left_out(source: Held, target: Held, mirror: Mirror) -> None:
    windows = digest(b"windows")
    foreign = {"mediaType": "foreign", "digest": windows, "size": 7, "urls": ["https://example.com/layer"]}
    layers = [source.add_blob(BOX, b"layer")]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": source.add_blob(BOX, b"{}"), "layers": layers}
    source.add_manifest(BOX, {**manifest, "layers": [foreign, *layers]}, "v1")
    # The registry that it goes to looks for parts that it should have, and asks for no others.
    target.blobs[COPY, windows] = b""

    assert mirror.push(item(source)).copied is not None
    assert f"GET /v2/{BOX}/blobs/{windows}" not in source.reads


def test_a_registry_that_does_not_answer_is_told_without_a_traceback(mirror: Mirror) -> None:
    nobody = Held(address="127.0.0.1:1")

    said = problem(mirror.push(item(nobody)))

    assert said.startswith("127.0.0.1 does not answer: ")
    assert "run the command again" in said


def test_a_lock_that_is_none_is_refused(source: Held, mirror: Mirror, lock_file: Path) -> None:
    for content in ("- 1", "images: {a: sha256:1}", "others: {}", "images: [", json.dumps({"images": 1})):
        lock_file.write_text(content)
        with pytest.raises(MirrorError, match=r"images\.lock\.yaml: "):
            mirror.push(item(source))
