"""What a host of AWS Batch does when it starts, beside joining its compute environment.

It keeps tasks from its role, mounts file systems, and then tells of itself. Batch adds a part of its own to the user
data, with the name of the cluster to join, and takes nothing but MIME multipart (AWS Batch User Guide, "Use Amazon EC2
launch templates with AWS Batch"). cloud-init runs the parts one after the other, whether or not one before failed, and
the ECS agent starts when all are through (``ecs.service`` is ordered after ``cloud-final.service``): what a part waits
for, the host waits for.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_BOUNDARY = "==AERODROME=="
_DIRECTORY = "/opt/aerodrome/metrics"
_AGENT = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
_INTERVAL_SECONDS = 60

_TASKS_SLICE: Final = "ecstasks.slice"
"""What the ECS agent puts all containers of tasks under, and itself not (``DefaultTaskCgroupV2Prefix`` in
``agent/config/config_unix.go`` of aws/amazon-ecs-agent, ``BuildCgroupRoot`` in ``agent/api/task/task_linux.go``)."""

_METADATA_SERVICE: Final = ("169.254.169.254", "fd00:ec2::254")
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html"""

_PATIENCE_SECONDS = 3

# By the agent's plugins: what is measured, by the names that CloudWatch then has for it.
_OF_EVERY_HOST: Final[Mapping[str, Mapping[str, Any]]] = {
    # What EC2 itself tells of the processor is by 5 minutes; by the minute it would cost seven metrics, not one.
    "cpu": {"measurement": ["cpu_usage_active"], "totalcpu": True},
    "mem": {"measurement": ["mem_used_percent"]},
    "swap": {"measurement": ["swap_used_percent"]},
    # Images and what containers write are all on the one disk.
    "disk": {"measurement": ["disk_used_percent"], "resources": ["/"]},
}
_OF_GPUS: Final[Mapping[str, Mapping[str, Any]]] = {
    "nvidia_gpu": {"measurement": ["utilization_gpu", "utilization_memory", "temperature_gpu"]}
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMetrics:
    """Where the metrics of hosts go.

    Attributes:
        namespace: The namespace in CloudWatch, which a host may write to and no other.
        dimensions: Dimensions of all of them, such as ``{"Environment": "dev"}``. A host adds ``ComputeEnvironment``
            and ``InstanceId``.
    """

    namespace: str
    dimensions: Mapping[str, str]


def user_data(
    metrics: HostMetrics,
    *,
    compute_environment: str,
    since: str,
    has_gpus: bool = False,
    mounts: Sequence[str] = (),
) -> str:
    """What a host is started with.

    Args:
        metrics: Where its metrics go.
        compute_environment: What it is a host of, as a dimension of its metrics.
        since: When its compute environment was last made anew, such as ``2026-11``. It stands there so that another
            value makes another launch template.
        has_gpus: Whether it has NVIDIA GPUs, of which it then tells, too.
        mounts: Lines of bash that mount file systems. The host waits for them, so that no job finds an empty directory.
    """
    scripts = [_guard_script(since)]
    if mounts:
        scripts.append(_script(*mounts))
    scripts.append(_agent_script(_agent_configuration(metrics, compute_environment, has_gpus=has_gpus)))
    parts = [f'--{_BOUNDARY}\nContent-Type: text/x-shellscript; charset="us-ascii"\n\n{script}\n' for script in scripts]
    header = f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{_BOUNDARY}"\n'
    return "\n".join([header, *parts, f"--{_BOUNDARY}--\n"])


def _script(*lines: str) -> str:
    return "\n".join(["#!/bin/bash", *lines])


def _guard_script(since: str) -> str:
    """Keep tasks from the metadata service, and with it from the host's role; or take none.

    Batch starts a plain job in the host's network (AWS Batch User Guide, "Networking modes"), so that one hop, the
    limit of the launch template, is as near to it as to the agent. With the host's role, code could present itself to
    ECS as the host's agent and be handed the credentials of all jobs on the host
    (https://naorhaziz.com/posts/under-the-hood-of-amazon-ecs, "ECScape").

    systemd drops what goes from a slice to the addresses, and what is in the slices below: the network of the host is
    one, its control groups are not. The agents of ECS, CloudWatch and Systems Manager, and the helper that mounts EFS,
    are outside of it. ``ECS_AWSVPC_BLOCK_IMDS`` does the same for jobs with a network of their own, the multi-node
    ones, and for nobody else.
    """
    attempt = f"timeout {_PATIENCE_SECONDS} bash -c 'exec 3<>/dev/tcp/{_METADATA_SERVICE[0]}/80'"
    in_slice = f"systemd-run --scope --quiet --slice={_TASKS_SLICE}"
    return _script(
        f"# Hosts since {since}",
        f"cat > /etc/systemd/system/{_TASKS_SLICE} <<'UNIT'",
        "[Unit]",
        "Description=Containers of Amazon ECS tasks",
        "",
        "[Slice]",
        f"IPAddressDeny={' '.join(_METADATA_SERVICE)}",
        "UNIT",
        "systemctl daemon-reload",
        "cat >> /etc/ecs/ecs.config <<'CONFIG'",
        # An agent that cannot make the slices would put tasks beside itself. Asked for by name, it does not start
        # instead (``cgroupInit`` in ``agent/app/agent_unix.go``).
        "ECS_ENABLE_TASK_CPU_MEM_LIMIT=true",
        "ECS_AWSVPC_BLOCK_IMDS=true",
        "CONFIG",
        f'seen=$({in_slice} /bin/bash -c "echo tried; {attempt} && echo reached")',
        'if [ "$seen" != tried ]; then',
        '  echo "aerodrome: tasks may reach the metadata service (seen: $seen), so this host takes none" >&2',
        "  systemctl mask --now ecs.service",
        "  shutdown -h now",
        "fi",
    )


def _agent_script(configuration: Mapping[str, Any]) -> str:
    """Install and start the CloudWatch agent, in the background and as often as it takes.

    A host without metrics still runs jobs. One that waited for a package that cannot be had would never join, and Batch
    would start others in its place, for ever.
    """
    return _script(
        f"mkdir -p {_DIRECTORY}",
        f"cat > {_DIRECTORY}/agent.json <<'JSON'",
        json.dumps(configuration, indent=1),
        "JSON",
        f"cat > {_DIRECTORY}/start.sh <<'SCRIPT'",
        "#!/bin/bash",
        # A mirror that does not answer, or another process that installs: half an hour of patience.
        "for attempt in {1..10}; do",
        "  dnf install -y amazon-cloudwatch-agent && break",
        "  sleep 180",
        "done",
        f"exec {_AGENT} -a fetch-config -m ec2 -s -c file:{_DIRECTORY}/agent.json",
        "SCRIPT",
        f"systemd-run --no-block --unit aerodrome-metrics --nice=10 /bin/bash {_DIRECTORY}/start.sh || true",
    )


def _agent_configuration(metrics: HostMetrics, compute_environment: str, *, has_gpus: bool) -> dict[str, Any]:
    """What the agent collects.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Agent-Configuration-File-Details.html
    """
    dimensions = {**metrics.dimensions, "ComputeEnvironment": compute_environment}
    plugins = {**_OF_EVERY_HOST, **(_OF_GPUS if has_gpus else {})}
    return {
        "agent": {"metrics_collection_interval": _INTERVAL_SECONDS, "run_as_user": "cwagent"},
        "metrics": {
            "namespace": metrics.namespace,
            # The metadata service tells it. The agent asks EC2 only for tags and volumes, and needs no right to that.
            "append_dimensions": {"InstanceId": "${aws:InstanceId}"},
            "aggregation_dimensions": [[*dimensions], [*dimensions, "InstanceId"]],
            "metrics_collected": {
                name: {
                    **plugin,
                    "append_dimensions": dimensions,
                    # Each path, file system type and GPU would be a metric of its own otherwise, and cost as much.
                    "drop_original_metrics": plugin["measurement"],
                }
                for name, plugin in plugins.items()
            },
        },
    }
