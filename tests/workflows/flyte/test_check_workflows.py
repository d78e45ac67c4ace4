"""``aerodrome check-workflows``, with packages as flytekit loads them: every mistake, and what does not load."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Command = Callable[..., CompletedProcess[str]]

# Each is a module of its own, so that its findings are those of its file.
HEAD = """\
from datetime import timedelta
from flytekit import ImageSpec, PodTemplate, Resources, Secret, dynamic, map_task, task, workflow
from flytekit.core.legacy_map_task import map_task as legacy_map_task
from flytekit.extras.accelerators import T4
from flytekitplugins.awsbatch import AWSBatchConfig

SMALL = Resources(cpu="1", mem="1Gi")
IMAGE = ImageSpec(registry="registry.invalid", builder="that-nobody-has").force_push()
HOUR = timedelta(hours=1)

@task(task_config=AWSBatchConfig(), limits=SMALL, timeout=HOUR)
def job(a: int) -> int:
    return a
"""

FIRST = HEAD.count("\n") + 1
"""The line of what a case writes."""


def on_batch(options: str, config: str = "") -> str:
    defaults = "" if "=Resources(" in options else "limits=SMALL, "
    defaults += "" if "timeout=" in options else "timeout=HOUR, "
    return (
        f"@task(task_config=AWSBatchConfig({config}), {defaults}{options})\ndef wrong(a: int) -> int:\n    return a\n"
    )


def in_workflow(call: str) -> str:
    return f"@workflow\ndef wrong(a: int) -> int:\n    return {call}\n"


def in_map(call: str) -> str:
    return f"@workflow\ndef wrong(a: list[int]) -> list[int]:\n    return {call}(job)(a=a)\n"


# the code; what is refused, why, and the way out, by what of each a reader has to find
REFUSED: Mapping[str, tuple[str, str, str, str]] = {
    "fargate": (
        on_batch("", "platformCapabilities='FARGATE'"),
        "platformCapabilities='FARGATE'",
        "name no execution role",
        "leave platformCapabilities out",
    ),
    "gpu": (
        on_batch("limits=Resources(cpu='1', mem='1Gi', gpu='2')"),
        "Resources(gpu='2')",
        "vCPUs and memory only",
        "run the task as a pod",
    ),
    "gpu_requested": (
        on_batch("requests=Resources(cpu='1', mem='1Gi', gpu='1')"),
        "Resources(gpu='1')",
        "vCPUs and memory only",
        "run the task as a pod",
    ),
    "accelerator": (on_batch("accelerator=T4"), "accelerator nvidia-tesla-t4", "no GPU", "run the task as a pod"),
    "ephemeral_storage": (
        on_batch("limits=Resources(cpu='1', mem='1Gi', ephemeral_storage='200Gi')"),
        "Resources(ephemeral_storage='200Gi')",
        "share the disk",
        "leave it out",
    ),
    "shared_memory": (on_batch("shared_memory=True"), "shared_memory", "Docker's default", "leave it out"),
    "secret": (
        on_batch("secret_requests=[Secret(group='warehouse', key='password'), Secret(group='registry', key='token')]"),
        "secret_requests of warehouse/password, registry/token",
        "nothing puts them into a job",
        "AWS Secrets Manager",
    ),
    "pod_template": (on_batch("pod_template=PodTemplate()"), "pod_template", "one container", "as a pod"),
    "pod_template_name": (
        on_batch("pod_template_name='sidecar'"),
        "pod_template_name='sidecar'",
        "one container",
        "as a pod",
    ),
    "cache": (on_batch("cache=True, cache_version='1'"), "cache=True", "folder 0", "let the connector run it"),
    "retries": (on_batch("retries=10"), "retries=10", "at most 10 times", "retries=9 or less"),
    "no_timeout": (on_batch("timeout=None"), "no timeout", "stays RUNNING in Flyte", "timeout=timedelta(...)"),
    "timeout": (on_batch("timeout=timedelta(seconds=59)"), "timeout=59 s", "below 60 s", "timedelta(seconds=60)"),
    "priority": (on_batch("", "schedulingPriority=7"), "schedulingPriority=7", "no such field", "leave it out"),
    "dynamic_on_batch": (
        "@dynamic(task_config=AWSBatchConfig(), limits=SMALL, timeout=HOUR)\ndef wrong(a: int) -> int:\n    return a\n",
        "@dynamic(task_config=AWSBatchConfig(...))",
        "{{.outputPrefix}}/0",
        "leave AWSBatchConfig out of @dynamic",
    ),
    "dynamic_calls": (
        "@dynamic\ndef wrong(a: int) -> int:\n    return job(a=a)\n",
        "@dynamic that calls dynamic_calls.job",
        "config[dynamic_queue] is missing",
        "a launch plan of one",
    ),
    "dynamic_calls_workflow": (
        in_workflow("job(a=a)") + "@dynamic\ndef shaped(a: int) -> int:\n    return wrong(a=a)\n",
        "@dynamic that calls dynamic_calls_workflow.job",
        "config[dynamic_queue] is missing",
        "a launch plan of one",
    ),
    "mapped": (
        in_map("map_task"),
        "map_task(job) (in mapped.wrong)",
        "not an array job",
        "map_task and AWSBatch of flytekit_aws_batch",
    ),
    "mapped_as_before": (
        in_map("legacy_map_task"),
        "map_task(job) (in mapped_as_before.wrong)",
        "runs as pods",
        "without AWSBatchConfig",
    ),
    "overridden_gpu": (
        in_workflow("job(a=a).with_overrides(limits=Resources(gpu='1'))"),
        "with_overrides(gpu='1')",
        "vCPUs and memory only",
        "run the task as a pod",
    ),
    "overridden_pod_template": (
        in_workflow("job(a=a).with_overrides(pod_template=PodTemplate())"),
        "with_overrides(pod_template=...)",
        "one container",
        "run the task as a pod",
    ),
}

WARNED: Mapping[str, tuple[str, str, str, str]] = {
    "fraction": (
        on_batch("limits=Resources(cpu='1500m', mem='1Gi')"),
        "cpu='1500m'",
        "the job gets, and costs, 2",
        "write cpu='2'",
    ),
    "interruptible": (on_batch("interruptible=True"), "interruptible=True", "decided by its queue", "leave it out"),
    "overridden_interruptible": (
        in_workflow("job(a=a).with_overrides(interruptible=True)"),
        "interruptible=True",
        "decided by its queue",
        "leave it out",
    ),
    "no_memory": (on_batch("limits=Resources(cpu='1')"), "no memory", "default decides", "Resources(cpu=..., mem=...)"),
    "parameters": (
        on_batch("", "parameters={'codec': 'mp4'}"),
        "parameters={'codec': 'mp4'}",
        "placeholders",
        "a task has inputs",
    ),
}

# What the plugin can do, and what it is not asked to.
FINE = {
    "fine_jobs": on_batch("retries=9, timeout=timedelta(seconds=60), environment={'A': 'b'}, enable_deck=True")
    # An image that has to be built is not built for a check.
    + "@task(task_config=AWSBatchConfig(), requests=SMALL, timeout=HOUR, container_image=IMAGE)\n"
    + "def built(a: int) -> int:\n    return a\n",
    "fine_pods": "@task(limits=Resources(cpu='500m', mem='1Gi', gpu='1'), secret_requests=[Secret('a', 'b')], "
    "interruptible=True, cache=True, cache_version='1', retries=20, pod_template=PodTemplate(), accelerator=T4)\n"
    "def pod(a: int) -> int:\n    return a\n"
    "@workflow\ndef mapped(a: list[int]) -> list[int]:\n    return map_task(pod)(a=a)\n"
    "@dynamic\ndef shaped(a: int) -> int:\n    return pod(a=a)\n",
}


def written(folder: Path, modules: Mapping[str, str]) -> Path:
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(HEAD + code, "utf-8")
    return folder


@pytest.fixture(scope="module")
def report(check: Command, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What is found in a folder with every mistake in it."""
    cases = {name: code for name, (code, *_) in {**REFUSED, **WARNED}.items()}
    folder = written(tmp_path_factory.mktemp("mistakes"), {**cases, **FINE})
    done = check(folder, "--json")
    assert done.stdout, done.stderr
    assert done.returncode == 2, done.stderr
    return dict(json.loads(done.stdout))


def of_module(report: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return [finding for finding in report["findings"] if f" {name}." in finding["subject"]]


@pytest.mark.parametrize("name", [*REFUSED, *WARNED])
def test_a_mistake_is_told_with_its_value_the_reason_and_the_way_out(report: Mapping[str, Any], name: str) -> None:
    _, value, reason, way_out = {**REFUSED, **WARNED}[name]
    (finding,) = of_module(report, name)
    assert finding["value"] == value
    assert reason in finding["reason"]
    assert way_out in finding["way_out"]
    assert finding["refused"] is (name in REFUSED)


def test_a_task_is_found_by_file_and_line(report: Mapping[str, Any]) -> None:
    (finding,) = of_module(report, "fargate")
    file, _, line = finding["place"].rpartition(":")
    assert Path(file).read_text("utf-8").splitlines()[int(line) - 1].startswith("@task(")
    assert Path(file).name == "fargate.py"


@pytest.mark.parametrize("name", FINE)
def test_what_the_plugin_can_do_is_not_refused(report: Mapping[str, Any], name: str) -> None:
    assert name in {task["name"].partition(".")[0] for task in report["tasks"]}, "the listing is broken"
    assert of_module(report, name) == []


def test_every_problem_is_a_line_and_a_warning_says_that_it_is_one(check: Command, tmp_path: Path) -> None:
    written(tmp_path, {"two": on_batch("retries=12, interruptible=True", "platformCapabilities='FARGATE'")})
    done = check("two.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    fargate, retries, warning, counts = done.stderr.splitlines()
    assert fargate.startswith(f"two.py:{FIRST}: task two.wrong: platformCapabilities='FARGATE': ")
    assert retries.startswith(f"two.py:{FIRST}: task two.wrong: retries=12: ")
    assert warning.startswith(f"two.py:{FIRST}: warning: task two.wrong: interruptible=True: ")
    assert counts == "2 refused, 1 warning"


SCHEDULED = """\
from flytekit import ConcurrencyPolicy, CronSchedule, LaunchPlan, task, workflow

@task
def clean() -> None: ...

@workflow
def tidy() -> None:
    clean()

hourly = LaunchPlan.get_or_create(tidy, name="hourly", schedule=CronSchedule(schedule="0 * * * *"))
nightly = LaunchPlan.get_or_create(
    tidy, name="nightly", schedule=CronSchedule(schedule="0 3 * * *"), concurrency=ConcurrencyPolicy(max_concurrency=1)
)
"""


@pytest.mark.parametrize(("env", "status"), [("dev", 0), ("prod", 2)])
def test_a_schedule_without_concurrency_is_refused_in_production(
    check: Command, tmp_path: Path, env: str, status: int
) -> None:
    (tmp_path / "team.py").write_text(SCHEDULED, "utf-8")
    done = check("team.py", "--env", env, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    line, _count = done.stderr.splitlines()
    assert line.removeprefix("warning: ").startswith("launch plan hourly: a schedule without concurrency: ")
    assert line.startswith("warning: ") is (status == 0)


def test_a_good_package_is_told_on_one_screen(check: Command) -> None:
    done = check("workflows/aerodrome_workflows/fraud_detection", "--env", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.splitlines()
    assert first == (
        "workflows/aerodrome_workflows/fraud_detection: 10 tasks, 1 workflow, 2 launch plans; "
        "nothing that AWS Batch would not do"
    )
    pods = lines.index("  as pods:")
    on_batch = {line.split()[0].rpartition(".")[2]: line.split(maxsplit=1)[1] for line in lines[1:pods]}
    assert lines[0] == "  on AWS Batch:"
    (search,) = (name for name in on_batch if name.startswith("map_score_"))
    score = "spot, 2 vCPUs, 4096 MiB, 1 retry, at most 0:30:00 each, cached"
    assert on_batch == {
        "score": score,
        search: f"an array, 20 at once, {score}",
        "train": "spot, 4 vCPUs, 14336 MiB, 2 retries, at most 2:00:00 each, cached",
    }
    assert len(lines[pods + 1 :]) == 7
    assert len(lines) < 24


def test_what_the_plugin_makes_of_a_task_is_told(check: Command, tmp_path: Path) -> None:
    options = "limits=Resources(cpu='4', mem='14Gi'), retries=3, timeout=timedelta(hours=2)"
    written(tmp_path, {"jobs": on_batch(options, "tags={'team': 'fraud'}")})
    done = check("jobs.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    title, line = (line for line in done.stdout.splitlines() if "own plugin" in line or "jobs.wrong" in line)
    assert title == "  on AWS Batch, by Flyte's own plugin:"
    # 14 GiB are 15,033 times 10^6 bytes, which the plugin sends as MiB; three retries are four attempts.
    assert line.endswith("4 vCPUs, 15033 MiB, 4 attempts of at most 2:00:00 each")


def test_the_scripts_beside_the_workflows_are_left_out(check: Command) -> None:
    # They import boto3, which the interpreter of the workflows has not.
    done = check("workflows")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("workflows: 13 tasks, 2 workflows, 3 launch plans; ")
    (line,) = done.stderr.splitlines()
    assert "workflows/aerodrome_workflows/train_classifier.py" in line


def test_a_package_is_found_by_its_name(check: Command, tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "__init__.py").touch()
    written(tmp_path / "team", {"jobs": ""})
    done = check("team.jobs", "--json", cwd=tmp_path)
    assert [task["name"] for task in json.loads(done.stdout)["tasks"]] == ["team.jobs.job"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "import warehouse\n",
            f"broken.py:{FIRST + 1}: the package does not load: ModuleNotFoundError: No module named 'warehouse'",
        ),
        ("def half(\n", f"broken.py:{FIRST + 1}: the package does not load: SyntaxError: '(' was never closed"),
        ("raise SystemExit(3)\n", f"broken.py:{FIRST + 1}: the package does not load: SystemExit: 3"),
        (
            "@workflow\ndef wrong(a: int) -> int:\n    return job()\n",
            f"broken.py:{FIRST + 3}: the package does not load: FlyteAssertion: USER:AssertionError: error=Input a of",
        ),
    ],
)
def test_a_package_that_does_not_load_says_so_in_its_own_line(
    check: Command, tmp_path: Path, code: str, told: str
) -> None:
    written(tmp_path, {"broken": "\n" + code})
    done = check(".", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"aerodrome check-workflows: {told}")


def test_a_folder_without_tasks_is_told(check: Command, tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("print('hello')\n", "utf-8")
    done = check("plain.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("aerodrome check-workflows: plain: no task of Flyte in it; ")
