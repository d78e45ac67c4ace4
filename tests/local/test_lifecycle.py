"""An embedded AWS is started, found, stopped, killed and deleted as people and machines do it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from aerodrome_local.testing import PYTHON, ROOT, EmbeddedAws, run_command
from tests.interrupts import interruptible


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    """The directory of an embedded AWS that is stopped after the test."""
    directory = tmp_path / "state"
    yield directory
    run_command("down", state_dir=directory)


def up(state_dir: Path, *options: str) -> dict[str, Any]:
    result = run_command("up", "--json", *options, state_dir=state_dir)
    assert result.returncode == 0, result.stderr
    started: dict[str, Any] = json.loads(result.stdout)
    return started


def status(state_dir: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run_command("status", "--json", state_dir=state_dir).stdout)
    return answer


def ours(state_dir: Path) -> Path:
    """The directory as it is after a run, without one."""
    state_dir.mkdir()
    (state_dir / ".aerodrome-local").touch()
    return state_dir


def aws(state_dir: Path, started: dict[str, Any]) -> EmbeddedAws:
    return EmbeddedAws(started["endpoint"], state_dir)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, f"not within 15 s: {what}"
        time.sleep(0.02)


def saved(state_dir: Path, name: str, *services: str) -> bool:
    """Whether a checkpoint of each service says a name."""
    files = [state_dir / "ministack" / f"{service}.json" for service in services]
    return all(file.exists() and name in file.read_text() for file in files)


def processes_of(state_dir: Path) -> list[int]:
    """The processes that carry the directory in their environment, found without the code under test."""
    mark = f"AERODROME_LOCAL_INSTANCE={state_dir}".encode()
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                if mark in (directory / "environ").read_bytes().split(b"\0"):
                    found.append(int(directory.name))
            except OSError:
                continue
    return found


@pytest.fixture
def stubborn(state_dir: Path) -> Iterator[Callable[[], int]]:
    """Starts a process as the server might, in a session of its own, that only SIGKILL ends; gives its pid."""
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    started: list[subprocess.Popen[bytes]] = []

    def start() -> int:
        process = subprocess.Popen(
            [PYTHON, "-c", script],
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "AERODROME_LOCAL_INSTANCE": str(state_dir)},
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_up_down_reset(state_dir: Path) -> None:
    first = up(state_dir)
    second = up(state_dir)
    assert first["already_up"] is False
    assert second["already_up"] is True
    assert (second["pid"], second["endpoint"]) == (first["pid"], first["endpoint"])
    assert processes_of(state_dir) == [first["pid"]]
    now = status(state_dir)
    assert (now["endpoint"], now["exports"]["AWS_ENDPOINT_URL"]) == (first["endpoint"], first["endpoint"])
    assert f"127.0.0.1:{first['port']}" in now["listening"]
    assert [address for address in now["listening"] if not address.startswith("127.0.0.1:")] == []

    stopped = run_command("down", "--json", state_dir=state_dir)
    assert json.loads(stopped.stdout) == {"was_up": True, "killed": []}
    assert processes_of(state_dir) == []
    assert run_command("status", state_dir=state_dir).returncode == 3
    again = run_command("down", "--json", state_dir=state_dir)
    assert json.loads(again.stdout) == {"was_up": False, "killed": []}
    assert run_command("reset", state_dir=state_dir).returncode == 0
    assert not state_dir.exists()


def test_two_at_once_start_one_and_reset_stops_it(state_dir: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: up(state_dir), range(2)))
    assert {item["pid"] for item in results} == {results[0]["pid"]}
    assert sorted(item["already_up"] for item in results) == [False, True]
    assert run_command("reset", state_dir=state_dir).returncode == 0
    assert not state_dir.exists()
    assert processes_of(state_dir) == []


def test_restart_keeps_state_and_port_and_mends_what_was_cut_off(state_dir: Path) -> None:
    started = up(state_dir)
    before = aws(state_dir, started)
    resources = {"Bucket": {"Type": "AWS::S3::Bucket"}, "Queue": {"Type": "AWS::SQS::Queue"}}
    for name in ("kept", "creating", "updating"):
        before.stack(name).deploy(resources)
    bucket = before.stack("kept").physical_id("Bucket")
    before.client("s3").put_object(Bucket=bucket, Key="model", Body=b"weights")
    before.stop()
    file = state_dir / "ministack" / "cloudformation.json"
    state = json.loads(file.read_text())
    for stack in state["payload"]["stacks"]["data"].values():
        if stack["StackName"] != "kept":
            stack["StackStatus"] = "CREATE_IN_PROGRESS" if stack["StackName"] == "creating" else "UPDATE_IN_PROGRESS"
    file.write_text(json.dumps(state))

    restarted = up(state_dir)
    assert restarted["endpoint"] == started["endpoint"]
    after = aws(state_dir, restarted)
    assert after.client("s3").get_object(Bucket=bucket, Key="model")["Body"].read() == b"weights"
    stacks = status(state_dir)["accounts"]["111122223333"]["stacks"]
    assert stacks == {
        "kept": "CREATE_COMPLETE",
        "creating": "ROLLBACK_FAILED",
        "updating": "UPDATE_ROLLBACK_COMPLETE",
    }
    for name in ("creating", "updating"):
        after.stack(name).deploy(resources)
    stacks = status(state_dir)["accounts"]["111122223333"]["stacks"]
    assert stacks == {"kept": "CREATE_COMPLETE", "creating": "CREATE_COMPLETE", "updating": "UPDATE_COMPLETE"}
    after.stop()

    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", started["port"]))
        squatter.listen()
        moved = run_command("up", state_dir=state_dir)
    assert moved.returncode == 0, moved.stderr
    assert f"port {started['port']} of the last run is taken" in moved.stdout
    assert up(state_dir)["port"] != started["port"]


def test_recovers_from_sigkill_and_ends_what_is_stuck(state_dir: Path, stubborn: Callable[[], int]) -> None:
    started = up(state_dir)
    instance = aws(state_dir, started)
    named = {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "named-by-the-template"}}}
    # A stack that waits for somebody to execute its change set keeps nothing else from being saved.
    instance.client("cloudformation").create_change_set(
        StackName="reviewed",
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps({"Resources": named}),
    )
    instance.stack("before-the-crash").deploy({"Queue": {"Type": "AWS::SQS::Queue"}})
    eventually(lambda: saved(state_dir, "before-the-crash", "cloudformation", "sqs"), "a checkpoint after a deployment")
    queues = state_dir / "ministack" / "sqs.json"
    unchanged = queues.stat().st_mtime_ns
    instance.stack("before-it-too").deploy({"Topic": {"Type": "AWS::SNS::Topic"}})
    eventually(lambda: saved(state_dir, "before-it-too", "cloudformation", "sns"), "a checkpoint after the next")
    assert queues.stat().st_mtime_ns == unchanged, "what a checkpoint finds unchanged it does not write again"
    checkpoint = {file: file.read_bytes() for file in (state_dir / "ministack").iterdir()}
    instance.stack("cut-off").deploy(named)
    instance.client("s3").put_object(Bucket="named-by-the-template", Key="a", Body=b"1")
    orphan = stubborn()
    os.kill(started["pid"], signal.SIGKILL)
    eventually(lambda: not alive(started["pid"]), "the server is dead")
    assert run_command("status", state_dir=state_dir).returncode == 3
    # As if the crash had come before the next checkpoint: the object is on disk at once, its bucket's record is not.
    shutil.rmtree(state_dir / "ministack")
    (state_dir / "ministack").mkdir()
    for file, content in checkpoint.items():
        file.write_bytes(content)

    restarted = up(state_dir)
    assert restarted["already_up"] is False
    assert not alive(orphan), "a process that outlived its server was left running"
    assert status(state_dir)["accounts"]["111122223333"]["stacks"] == {
        "before-the-crash": "CREATE_COMPLETE",
        "before-it-too": "CREATE_COMPLETE",
        "reviewed": "REVIEW_IN_PROGRESS",
    }
    after = aws(state_dir, restarted)
    after.stack("cut-off").deploy(named)
    assert after.client("s3").list_objects_v2(Bucket="named-by-the-template")["KeyCount"] == 0

    stuck = stubborn()
    assert json.loads(run_command("down", "--json", state_dir=state_dir).stdout)["was_up"] is True
    assert not alive(stuck)


def test_a_process_that_took_over_the_pid_is_left_alone(state_dir: Path) -> None:
    bystander = subprocess.Popen([PYTHON, "-c", "import time; time.sleep(600)"])
    record = {"pid": bystander.pid, "create_time": 1.0, "port": 1}
    (ours(state_dir) / "server.json").write_text(json.dumps(record))
    try:
        assert run_command("status", state_dir=state_dir).returncode == 3
        assert json.loads(run_command("down", "--json", state_dir=state_dir).stdout)["was_up"] is False
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_server_that_does_not_start_says_why(state_dir: Path) -> None:
    (ours(state_dir) / "tmp").write_text("in the way")
    result = run_command("up", state_dir=state_dir)
    assert result.returncode == 1
    assert "the embedded AWS ended with status 1" in result.stderr
    assert "FileExistsError" in result.stderr
    assert processes_of(state_dir) == []


def test_another_ministack_is_refused(tmp_path: Path) -> None:
    script = "from aerodrome_local import ministack_private as m; m.PINNED_VERSION = '0.1'; m.check_version()"
    variables = {"PYTHONPATH": str(ROOT / "local"), "STATE_DIR": str(tmp_path)}
    result = subprocess.run(
        [PYTHON, "-c", script], check=False, capture_output=True, text=True, env={**os.environ, **variables}
    )
    assert "ministack 0.1, but" in result.stderr
    assert "make setup" in result.stderr


@interruptible()
def test_ctrl_c_leaves_nothing(state_dir: Path) -> None:
    process = subprocess.Popen(
        [PYTHON, "-m", "aerodrome_local", "up", "--state-dir", state_dir],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "local")},
    )
    eventually(lambda: bool(processes_of(state_dir)), "the server is starting")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert processes_of(state_dir) == []
    assert run_command("status", state_dir=state_dir).returncode == 3


@pytest.mark.parametrize("command", ["up", "reset"])
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, command: str) -> None:
    (tmp_path / "thesis.tex").write_text("important")
    result = run_command(command, state_dir=tmp_path)
    assert result.returncode == 1
    assert "not" in result.stderr
    assert ".aerodrome-local" in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_logs_and_status_before_the_first_start(tmp_path: Path) -> None:
    logs = run_command("logs", state_dir=tmp_path / "none")
    assert (logs.returncode, "aerodrome local up" in logs.stderr) == (1, True)
    answer = run_command("status", state_dir=tmp_path / "none")
    assert (answer.returncode, "is down" in answer.stdout) == (3, True)
    assert not (tmp_path / "none").exists()


@interruptible()
def test_logs_follow(tmp_path: Path) -> None:
    log = ours(tmp_path / "state") / "server.log"
    log.write_text("first\nsecond\n")
    with subprocess.Popen(
        [PYTHON, "-m", "aerodrome_local", "logs", "--follow", "--lines", "1", "--state-dir", log.parent],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "local")},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "second\n"
        with log.open("a") as file:
            file.write("third\n")
        assert process.stdout.readline() == "third\n"
        log.replace(log.with_suffix(".1"))
        log.write_text("of the next run\n")
        assert process.stdout.readline() == "of the next run\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
