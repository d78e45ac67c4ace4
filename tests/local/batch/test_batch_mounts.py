"""The file systems that jobs mount: the same for who may share them, and for nobody else."""

from pathlib import Path
from typing import Any

import pytest

from aerodrome_local.batch_service import mounts

Batch = Any  # conftest's class, which a test module cannot import
Json = dict[str, Any]

SEARCH, ADS = "fsap-1", "fsap-2"


@pytest.fixture
def shared(batch: Batch) -> Batch:
    """A service with a queue, and a file system with two directories."""
    batch.backend.access_points = {("fs-1", SEARCH): "/search/staging", ("fs-1", ADS): "/ads/staging"}
    batch.simple_queue()
    return batch


def efs(access_point: str, **other: Any) -> Json:  # noqa: ANN401 - as AWS
    authorization = {"accessPointId": access_point, "iam": "ENABLED"}
    given = {"fileSystemId": "fs-1", "transitEncryption": "ENABLED", "authorizationConfig": authorization, **other}
    return {"name": "files", "efsVolumeConfiguration": given}


def host(path: str = "/mnt/lustre") -> Json:
    return {"name": "files", "host": {"sourcePath": path}}


def run(batch: Batch, volume: Json, script: str, at: str = "/mnt/efs", *, read_only: bool = False) -> Json:
    """Run a script that has a volume somewhere, to its end."""
    point = {"sourceVolume": "files", "containerPath": at, "readOnly": read_only}
    container = {"volumes": [volume], "mountPoints": [point]}
    ended: Json = batch.ended(batch.submit(batch.definition("definition", "sh", "-c", script, container=container)))
    return ended


def wrote(batch: Batch, job: Json, *lines: str) -> bool:
    """Whether a job wrote these lines; or, where the machine lets nobody mount, that its log says so."""
    if mounts.can_mount():
        return bool(batch.log(job) == list(lines))
    return "not mounted" in batch.log(job)[0]


def test_what_one_job_leaves_another_one_finds(shared: Batch) -> None:
    run(shared, efs(SEARCH), "echo 0.93 > /mnt/efs/accuracy")
    assert wrote(shared, run(shared, efs(SEARCH), "cat /mnt/efs/accuracy"), "0.93")


def test_who_comes_through_another_access_point_does_not_find_it(shared: Batch) -> None:
    run(shared, efs(SEARCH), "touch /mnt/efs/secret")
    assert wrote(shared, run(shared, efs(ADS), "ls -A /mnt/efs; echo end"), "end")


def test_nothing_of_it_is_seen_outside_the_job(shared: Batch, tmp_path: Path) -> None:
    before = sorted(Path("/mnt").iterdir())
    run(shared, efs(SEARCH), "touch /mnt/efs/here")
    assert sorted(Path("/mnt").iterdir()) == before
    if mounts.can_mount():
        assert (tmp_path / "files" / "efs" / "fs-1" / "search" / "staging" / "here").is_file()


def test_what_is_beside_a_mounted_directory_stays_where_it_is(shared: Batch, tmp_path: Path) -> None:
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "a file").write_text("one\n")
    (tmp_path / "another file").write_text("two\n")
    script = f"cat '{tmp_path}/beside/a file' '{tmp_path}/another file'; ls '{tmp_path}/deep/down'; pwd"
    run(shared, efs(SEARCH), "touch /mnt/efs/here")
    job = run(shared, efs(SEARCH), script, at=f"{tmp_path}/deep/down")
    assert job["container"]["exitCode"] == 0 or not mounts.can_mount()
    assert wrote(shared, job, "one", "two", "here", shared.log(job)[-1])
    assert not (tmp_path / "deep").exists()


def test_jobs_of_a_host_share_its_disk_and_not_this_machines(shared: Batch) -> None:
    run(shared, host(), "touch /mnt/lustre/here", at="/mnt/lustre")
    assert wrote(shared, run(shared, host(), "ls -A /mnt/lustre", at="/mnt/lustre"), "here")
    assert not Path("/mnt/lustre/here").exists()


def test_a_volume_that_may_be_read_only_is_not_written(shared: Batch) -> None:
    job = run(shared, host(), "touch /mnt/lustre/here 2>/dev/null || echo refused", at="/mnt/lustre", read_only=True)
    assert wrote(shared, job, "refused")


def test_a_volume_without_a_place_on_the_host_ends_with_its_job(shared: Batch) -> None:
    run(shared, {"name": "files"}, "touch /mnt/efs/here")
    assert wrote(shared, run(shared, {"name": "files"}, "ls -A /mnt/efs; echo end"), "end")


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        (efs("fsap-3"), "no access point fsap-3"),
        (efs(SEARCH, transitEncryption="DISABLED"), "need transitEncryption ENABLED"),
        (efs(SEARCH, rootDirectory="/ads"), "rootDirectory /ads is not the access point's"),
        ({**host(), "name": "other"}, "there is no volume 'files'"),
    ],
)
def test_a_job_does_not_start_without_what_it_mounts(shared: Batch, volume: Json, reason: str) -> None:
    job = run(shared, volume, "echo never")
    assert job["status"] == "FAILED"
    assert reason in job["attempts"][0]["container"]["reason"]
    assert "exitCode" not in job["container"]


def test_a_command_that_is_not_there_is_named(shared: Batch) -> None:
    container = {"volumes": [host()], "mountPoints": [{"sourceVolume": "files", "containerPath": "/mnt/lustre"}]}
    job = shared.ended(shared.submit(shared.definition("definition", "no-such-command", container=container)))
    assert 'exec: "no-such-command": executable file not found' in job["attempts"][0]["container"]["reason"]


def test_where_nobody_may_mount_a_job_runs_and_its_log_says_so(shared: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "can_mount", lambda: False)
    job = run(shared, efs(SEARCH), "echo ran")
    assert job["status"] == "SUCCEEDED"
    first, second = shared.log(job)
    assert first == (
        "embedded AWS: /mnt/efs not mounted, as this machine allows no mount namespaces (unshare --user --mount)"
    )
    assert second == "ran"


def test_a_job_with_a_mount_is_stopped_like_any_other(shared: Batch) -> None:
    container = {"volumes": [efs(SEARCH)], "mountPoints": [{"sourceVolume": "files", "containerPath": "/mnt/efs"}]}
    definition = shared.definition("definition", "sh", "-c", "echo started; sleep 60", container=container)
    job_id = shared.submit(definition)
    shared.eventually(lambda: "started" in shared.log(shared.until(job_id, "RUNNING")), "it has started")
    shared.call("TerminateJob", jobId=job_id, reason="enough")
    job = shared.ended(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "enough")
