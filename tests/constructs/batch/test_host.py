import email
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from aerodrome_constructs.batch.host import HostMetrics, user_data

METRICS = HostMetrics(namespace="Tests/Hosts", dimensions={"Environment": "test"})
SINCE = "2026-11"
FOUND_BY = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"


def scripts(text: str) -> list[str]:
    """The scripts of user data, as cloud-init takes them apart."""
    message = email.message_from_string(text)
    assert message.get_content_type() == "multipart/mixed"
    parts: list[Any] = message.get_payload()  # type: ignore[assignment]  # a multipart message has a list
    assert {part.get_content_type() for part in parts} == {"text/x-shellscript"}
    return [part.get_payload() for part in parts]


def started_with(*, since: str = SINCE, has_gpus: bool = False, mounts: Sequence[str] = ()) -> list[str]:
    """The scripts of a host, in their order."""
    return scripts(user_data(METRICS, compute_environment="Spot", since=since, has_gpus=has_gpus, mounts=mounts))


def of_guard() -> str:
    guard, _ = started_with()
    return guard


def of_agent(*, has_gpus: bool = False) -> str:
    _, agent = started_with(has_gpus=has_gpus)
    return agent


def written(script: str, path: str) -> str:
    """What a script writes into a file."""
    _, _, after = script.partition(f" {path} <<'")
    mark, _, text = after.partition("'\n")
    content, _, _ = text.partition(f"\n{mark}\n")
    return content


def configuration(*, has_gpus: bool = False) -> Any:  # noqa: ANN401 - any JSON value
    script = of_agent(has_gpus=has_gpus)
    return json.loads(script[script.index("{") : script.index("\nJSON\n")])


def program(directory: Path, name: str, *lines: str) -> Path:
    """A program that tells of being called, in the file ``calls``, and then does what the lines say."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text("\n".join(["#!/bin/bash", f'echo "{name} $*" >> {directory}/calls', *lines]) + "\n")
    path.chmod(0o755)
    return path


def run(directory: Path, *command: str | Path) -> None:
    """Run with the programs of a directory before all others; it has to end well."""
    path = f"{directory}:{os.environ['PATH']}"
    subprocess.run(command, check=True, timeout=20, env={"PATH": path}, capture_output=True)


def calls(directory: Path) -> list[str]:
    return (directory / "calls").read_text().splitlines()


def prepared(tmp_path: Path) -> tuple[Path, Path]:
    """The agent's script with all it writes and calls in a folder of the test; and the folder of programs."""
    programs = tmp_path / "programs"
    agent = program(programs, "agent-ctl")
    script = of_agent().replace("/opt/aerodrome", str(tmp_path / "opt")).replace(FOUND_BY, str(agent))
    path = tmp_path / "part"
    path.write_text(script)
    return path, programs


@pytest.mark.parametrize("mounts", [(), ("mount files", "mount more")])
def test_every_part_is_a_script_that_bash_can_read(mounts: Sequence[str]) -> None:
    found = started_with(mounts=mounts)
    assert len(found) == (3 if mounts else 2)
    for script in found:
        assert script.startswith("#!/bin/bash\n")
        subprocess.run(["/bin/bash", "-n"], input=script, text=True, check=True, timeout=20)


def test_file_systems_are_mounted_by_themselves_and_before_the_agent_is_installed() -> None:
    guard, mounts, agent = started_with(mounts=["mount files", "mount more"])
    assert mounts.splitlines()[1:] == ["mount files", "mount more"]
    assert "mount files" not in guard + agent
    assert "amazon-cloudwatch-agent" in agent


def test_a_host_says_since_when_there_are_such_as_it() -> None:
    assert [f"Hosts since {SINCE}" in script for script in started_with()] == [True, False]
    assert started_with(since="2027-01") != started_with()


def test_what_tasks_are_put_under_has_no_way_to_the_metadata_service() -> None:
    unit = ConfigParser()
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's names have capitals
    # The name is the ECS agent's: it puts each task into a slice of its own, ecstasks-ID.slice, and so below this one.
    unit.read_string(written(of_guard(), "/etc/systemd/system/ecstasks.slice"))
    assert {name: dict(unit[name]) for name in unit.sections()} == {
        "Unit": {"Description": "Containers of Amazon ECS tasks"},
        "Slice": {"IPAddressDeny": "169.254.169.254 fd00:ec2::254"},
    }


def test_the_ecs_agent_does_not_start_where_it_cannot_make_slices_and_keeps_multi_node_jobs_away_itself() -> None:
    assert written(of_guard(), "/etc/ecs/ecs.config").splitlines() == [
        "ECS_ENABLE_TASK_CPU_MEM_LIMIT=true",
        "ECS_AWSVPC_BLOCK_IMDS=true",
    ]


@pytest.fixture
def listening() -> Iterator[int]:
    """A port that answers, in place of the metadata service's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def guarded(tmp_path: Path, port: int, *systemd_run: str) -> list[str]:
    """What a host calls that guards itself, with a port of this machine in place of the metadata service."""
    programs = tmp_path / "programs"
    for name in ("systemctl", "shutdown"):
        program(programs, name)
    program(programs, "systemd-run", *systemd_run)
    script = of_guard().replace("/etc/", f"{tmp_path}/etc/").replace("169.254.169.254/80", f"127.0.0.1/{port}")
    for directory in ("ecs", "systemd/system"):
        (tmp_path / "etc" / directory).mkdir(parents=True)
    part = tmp_path / "part"
    part.write_text(script)
    run(programs, "/bin/bash", part)
    return [call for call in calls(programs) if not call.startswith("systemd-run")]


IN_THE_SLICE = 'test "$1 $2 $3" = "--scope --quiet --slice=ecstasks.slice" && shift 3 && exec "$@"'
RELOADED = ["systemctl daemon-reload"]
TAKES_NO_JOBS = [*RELOADED, "systemctl mask --now ecs.service", "shutdown -h now"]


def test_a_host_whose_tasks_do_not_reach_the_metadata_service_takes_jobs(tmp_path: Path) -> None:
    # That systemd keeps them is not to be had here. Nobody listens at this port, and nobody else can take it.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert guarded(tmp_path, taken.getsockname()[1], IN_THE_SLICE) == RELOADED
    assert "IPAddressDeny" in (tmp_path / "etc/systemd/system/ecstasks.slice").read_text()
    assert "ECS_" in (tmp_path / "etc/ecs/ecs.config").read_text()


def test_a_host_whose_tasks_reach_the_metadata_service_takes_no_jobs(tmp_path: Path, listening: int) -> None:
    assert guarded(tmp_path, listening, IN_THE_SLICE) == TAKES_NO_JOBS


def test_a_host_that_cannot_try_takes_no_jobs(tmp_path: Path, listening: int) -> None:
    assert guarded(tmp_path, listening, "exit 1") == TAKES_NO_JOBS


def test_the_agent_tells_of_memory_swap_disk_and_processor_by_compute_environment_and_host() -> None:
    metrics = configuration()["metrics"]
    assert metrics["namespace"] == "Tests/Hosts"
    measured = {name for plugin in metrics["metrics_collected"].values() for name in plugin["measurement"]}
    assert measured == {"cpu_usage_active", "mem_used_percent", "swap_used_percent", "disk_used_percent"}
    by_environment = ["Environment", "ComputeEnvironment"]
    assert metrics["aggregation_dimensions"] == [by_environment, [*by_environment, "InstanceId"]]
    for plugin in metrics["metrics_collected"].values():
        assert plugin["append_dimensions"] == {"Environment": "test", "ComputeEnvironment": "Spot"}
        assert plugin["drop_original_metrics"] == plugin["measurement"], "each would be paid for twice"


def test_the_agent_asks_ec2_for_nothing() -> None:
    # Of these, only AutoScalingGroupName is a tag, for which the role would need ec2:DescribeTags.
    assert configuration()["metrics"]["append_dimensions"] == {"InstanceId": "${aws:InstanceId}"}


def test_hosts_with_gpus_tell_of_them() -> None:
    assert "nvidia_gpu" not in configuration()["metrics"]["metrics_collected"]
    assert (
        "utilization_gpu" in configuration(has_gpus=True)["metrics"]["metrics_collected"]["nvidia_gpu"]["measurement"]
    )


def test_the_agent_starts_with_its_configuration(tmp_path: Path) -> None:
    part, programs = prepared(tmp_path)
    program(programs, "systemd-run")
    program(programs, "dnf")
    run(programs, "/bin/bash", part)
    (asked,) = calls(programs)
    assert asked.startswith("systemd-run --no-block "), "the ECS agent waits for what the script waits for"
    run(programs, "/bin/bash", asked.split()[-1])
    assert calls(programs)[1:] == [
        "dnf install -y amazon-cloudwatch-agent",
        f"agent-ctl -a fetch-config -m ec2 -s -c file:{tmp_path}/opt/metrics/agent.json",
    ]
    assert json.loads((tmp_path / "opt/metrics/agent.json").read_text()) == configuration()


def test_a_mirror_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    part, programs = prepared(tmp_path)
    program(programs, "systemd-run")
    program(programs, "sleep")
    program(programs, "dnf", f"test -e {tmp_path}/second && exit 0", f"touch {tmp_path}/second", "exit 1")
    run(programs, "/bin/bash", part)
    run(programs, "/bin/bash", tmp_path / "opt/metrics/start.sh")
    assert [call.split()[0] for call in calls(programs)] == ["systemd-run", "dnf", "sleep", "dnf", "agent-ctl"]


def test_a_host_joins_where_the_agent_cannot_be_started(tmp_path: Path) -> None:
    part, programs = prepared(tmp_path)
    program(programs, "systemd-run", "exit 1")
    run(programs, "/bin/bash", part)
    assert len(calls(programs)) == 1
