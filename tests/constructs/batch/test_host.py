import email
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aerodrome_constructs.batch.host import HostMetrics, user_data

METRICS = HostMetrics(namespace="Tests/Hosts", dimensions={"Environment": "test"})
FOUND_BY = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"


def scripts(text: str) -> list[str]:
    """The scripts of user data, as cloud-init takes them apart."""
    message = email.message_from_string(text)
    assert message.get_content_type() == "multipart/mixed"
    parts: list[Any] = message.get_payload()  # type: ignore[assignment]  # a multipart message has a list
    assert {part.get_content_type() for part in parts} == {"text/x-shellscript"}
    return [part.get_payload() for part in parts]


def of_agent(*, has_gpus: bool = False) -> str:
    (script,) = scripts(user_data(METRICS, compute_environment="Spot", has_gpus=has_gpus))
    return script


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
    found = scripts(user_data(METRICS, compute_environment="Spot", mounts=mounts))
    assert len(found) == (2 if mounts else 1)
    for script in found:
        assert script.startswith("#!/bin/bash\n")
        subprocess.run(["/bin/bash", "-n"], input=script, text=True, check=True, timeout=20)


def test_file_systems_are_mounted_first_and_by_themselves() -> None:
    mounts, agent = scripts(user_data(METRICS, compute_environment="Spot", mounts=["mount files", "mount more"]))
    assert mounts.splitlines()[1:3] == ["mount files", "mount more"]
    assert "amazon-cloudwatch-agent" not in mounts
    assert "mount files" not in agent


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
