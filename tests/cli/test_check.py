"""``aerodrome check``, as a person meets it."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aerodrome.main import app

ENVIRONMENTS = Path(__file__).parents[2] / "environments"
MEMORY_TYPES = """
        [r7i.4xlarge, r7a.4xlarge, r7iz.4xlarge, r6i.4xlarge, r6a.4xlarge, r6id.4xlarge,
         r5.4xlarge, r5a.4xlarge, r5d.4xlarge, r5n.4xlarge]"""
COMMAND = Path(sys.executable).parent / "aerodrome"

Check = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one's own with the real environments in it, as the current directory."""
    (tmp_path / "environments").mkdir()
    for file in ENVIRONMENTS.glob("*.yaml"):
        shutil.copy(file, tmp_path / "environments")
    monkeypatch.chdir(tmp_path)
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):  # where the tests run, they may make a terminal of everything
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def check(project: Path) -> Check:
    """Run the command in that project, after some replacements in one of its files."""

    def run(*arguments: str, file: str = "dev.yaml", replace: Sequence[tuple[str, str]] = ()) -> Result:
        path = project / "environments" / file
        text = path.read_text("utf-8") if replace else ""
        for old, new in replace:
            assert old in text
            text = text.replace(old, new)
        if replace:
            path.write_text(text, "utf-8")
        return CliRunner().invoke(app, ["check", *arguments])

    return run


def test_a_valid_environment(check: Check) -> None:
    result = check("-e", "dev")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "environments/dev.yaml: valid",
        "  account: 111122223333 in us-east-1",
        (
            "  before AWS: account and domain are examples: write yours into environments/dev.yaml (the embedded AWS "
            "takes any)"
        ),
        (
            "  network: 10.16.0.0/16, and 100.64.0.0/16 for pods, over us-east-1a, us-east-1b and us-east-1c; 1 NAT "
            "gateway"
        ),
        "  cluster: Kubernetes 1.36; API reached from the network and from 203.0.113.0/24",
        "  system nodes: on-demand, 4 to 6 x 2 vCPUs, 8 GiB (m7i.large and 2 other types, amd64)",
        "  spot nodes general: 0 to 10 x 8 vCPUs, 32 GiB (m7i.2xlarge and 9 other types, amd64)",
        "  nodes in all: at most 92 vCPUs, 368 GiB; where spot fails, 32 on demand; $6 an hour",
        "  AWS Batch: at most 128 vCPUs: x86 64 spot + 32 on-demand and Fargate 16 spot + 16",
        "  database: PostgreSQL on db.t4g.medium in one zone, no standby; 50 GiB, growing to 200 GiB at most",
        "  Flyte: small, 375 tasks at once; containers and AWS Batch",
        "  project fraud-detection: development 32 vCPUs, 128 GiB; owner fraud@example.com",
        "  project demand-forecast: development 16 vCPUs, 64 GiB; owner forecast@example.com",
        "  access: ml.dev.example.com; people sign in with Amazon Cognito",
        "  kept for: logs 30d, metrics 15d, raw data 30d in development, database backups 7d, backup vault 7d",
        "  budget: $1,500 a month; anomalies from $100 on; Batch $100 a day in all",
        "  alerts to: ml-platform@example.com",
    ]


def test_an_account_and_a_domain_of_ones_own_need_no_notice(check: Check) -> None:
    account = ("111122223333", "210987654321")
    result = check("-e", "dev", replace=[account])
    assert result.exit_code == 0
    assert "210987654321" in result.stdout
    assert "before AWS: domain is an example: write yours into environments/dev.yaml" in result.stdout
    result = check("-e", "dev", replace=[("ml.dev.example.com", "ml.example.org")])
    assert "before AWS" not in result.stdout


def test_who_may_break_the_glass_is_watched_by_a_trail_that_is_there_before(check: Check) -> None:
    result = check("-e", "prod")
    notices = [line for line in result.stdout.splitlines() if line.startswith("  before AWS: ")]
    assert notices[-1] == (
        "  before AWS: the account needs a CloudTrail trail that logs management events, read and write: without it "
        "nobody is told who breaks the glass, and the platform makes none"
    )
    own = [("777788889999", "210987654321"), ("domain_name: ml.example.com", "domain_name: ml.example.org")]
    result = check("-e", "prod", file="prod.yaml", replace=own)
    assert result.stdout.count("before AWS") == 1, "whosever the account is"


def test_what_else_a_summary_can_say(check: Check) -> None:
    result = check("-e", "prod", file="prod.yaml", replace=[("max_storage_gib: 2000", "max_storage_gib: 200")])
    assert "API private: from the network only" in result.stdout
    assert "3 NAT gateways" in result.stdout
    assert "3 to 40 x 16 vCPUs" in result.stdout, "nodes that are kept running"
    assert "with a standby in a second zone; 200 GiB, not growing; new passwords every 30d" in result.stdout
    assert "backup vault 365d, governance lock, copied to us-west-2" in result.stdout
    assert "people sign in at https://login.example.com/production" in result.stdout
    assert "medium, 1,000 tasks at once; containers, AWS Batch, Spark, Ray and PyTorch" in result.stdout
    opened = [
        ("domain_name: ml.example.com\n", "domain_name: ml.example.com\n  public_cidrs: [203.0.113.0/24]\n"),
        ("load: medium", "load: medium\n  propeller_shards: 3"),
        ("  batch_connector:", "  #"),
        ("  hosted_zone_id: Z0777788889999PROD # of ml.example.com\n", ""),
        ("notifications: true", "notifications: false"),
    ]
    result = check("-e", "prod", file="prod.yaml", replace=opened)
    assert "ml.example.com, from 203.0.113.0/24 only; people sign in" in result.stdout
    assert "its certificate and records are made by hand" in result.stdout
    assert "1,000 tasks at once, 3 times" in result.stdout
    assert "containers, AWS Batch by Flyte's own plugin, Spark" in result.stdout
    private = [
        ("nat_gateways: 3", "nat_gateways: 0\n  private: true"),
        ("  public_cidrs: [203.0.113.0/24]\n", ""),
        ("flyte:", "images: mirror\nflyte:"),
    ]
    result = check("-e", "prod", file="prod.yaml", replace=private)
    assert "private, no way in or out" in result.stdout
    assert "copies in this account, which `aerodrome mirror` makes before the deploy" in result.stdout
    result = check(
        "-e",
        "staging",
        file="staging.yaml",
        replace=[
            (MEMORY_TYPES, " [g6.4xlarge]"),
            ("memory_gib: 384, gpu: 0", "memory_gib: 384, gpu: 2"),
        ],
    )
    assert "0 to 4 x 16 vCPUs (g6.4xlarge, amd64)" in result.stdout
    assert "nodes in all: at most 242 vCPUs; where" in result.stdout, "the memory of g6 cannot be told"
    assert "staging 96 vCPUs, 384 GiB, 2 GPUs; owner" in result.stdout


def test_all_environments_are_checked_where_none_is_named(check: Check) -> None:
    result = check()
    assert (result.exit_code, result.stderr) == (0, "")
    heads = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert heads == [f"environments/{name}.yaml: valid" for name in ("dev", "prod", "staging")]


def test_an_environment_is_held_against_its_neighbours_when_it_is_checked_alone(check: Check) -> None:
    shared = [("pod_cidr: 100.66.0.0/16", "pod_cidr: 100.64.0.0/16"), ("  domain_name: ml.", "  domain_name: ml.dev.")]
    result = check("-e", "prod", file="prod.yaml", replace=shared)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        (
            "environments/prod.yaml: network.pod_cidr: 100.64.0.0/16 overlaps 100.64.0.0/16 of "
            "environments/dev.yaml in 65,536 addresses; give each environment a range of its own"
        ),
        (
            "environments/prod.yaml: access.domain_name: ml.dev.example.com is that of environments/dev.yaml, too; "
            "give each environment a name of its own"
        ),
    ]


def test_a_neighbours_own_mistakes_are_its_own(check: Check) -> None:
    assert check("-e", "prod", file="dev.yaml", replace=[("nat_gateways: 1", "nat_gatways: 1")]).exit_code == 0


def test_on_a_terminal_it_is_a_table(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    lines = check("-e", "dev").stdout.splitlines()
    assert any("╭" in line for line in lines)
    assert any("│" in line and "10.16.0.0/16" in line for line in lines)
    assert len(lines) <= 24, "more than one screen"


def test_every_problem_is_printed_at_once(check: Check) -> None:
    result = check(
        "-e",
        "dev",
        replace=[
            ("nat_gateways: 1", "nat_gatways: 1"),
            ("cpu: 32", "cpu: 320"),
            ("logs: 30d", "logs: 30"),
        ],
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "environments/dev.yaml: network.nat_gatways: unknown key; did you mean nat_gateways?",
        (
            "environments/dev.yaml: projects[0].domains.development.cpu: 320 vCPUs are more than all nodes have at "
            "most: 92 (12 system + 80 general); lower it, or raise max_size of a node group"
        ),
        (
            "environments/dev.yaml: retention.logs: the number 30 is not a duration; write whole days or hours, such "
            "as 30d or 12h"
        ),
    ]


def test_the_problems_of_every_file_are_printed(check: Check) -> None:
    check(file="dev.yaml", replace=[("multi_az: false", "multi_az: no")])
    result = check(file="prod.yaml", replace=[("multi_az: true", "multi_az: false")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        'environments/dev.yaml: database.multi_az: the text "no" stands where true or false is expected; write false',
        "environments/prod.yaml: database.multi_az: false, but prod must survive the loss of a zone; write true",
    ]
    assert check("-e", "staging").exit_code == 0


def test_ranges_that_overlap_between_environments(check: Check) -> None:
    result = check(file="staging.yaml", replace=[("10.32.0.0/16", "10.16.128.0/17")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        (
            "environments/dev.yaml: network.cidr: 10.16.0.0/16 overlaps 10.16.128.0/17 of environments/staging.yaml in "
            "32,768 addresses; give each environment a range of its own"
        ),
    ]
    assert check("-e", "staging").exit_code == 2, "nor does it pass when it is checked alone"
    assert check("-e", "prod").exit_code == 0, "whom it does not concern"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-e", "prdo"],
            'environments: no environment is called "prdo"; did you mean prod? there are dev, prod and staging',
        ),
        (["--env", "qa"], 'environments: no environment is called "qa"; there are dev, prod and staging'),
        (["-e", ""], 'environments: no environment is called ""; there are dev, prod and staging'),
        (["--directory", "envs", "-e", "dev"], "envs: no such directory; environments are files such as envs/dev.yaml"),
        (["--directory", "envs"], "envs: no environment here; an environment is a file such as envs/dev.yaml"),
    ],
)
def test_what_is_not_there(check: Check, arguments: list[str], message: str) -> None:
    result = check(*arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{message}\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; an environment begins with account, region and network"),
        (b"\xff\xfe", "line 1: byte 0xff is not UTF-8; save the file in that encoding"),
        (b"account: [", "line 1, column 11: not YAML: expected the node content, but found '<stream end>'"),
    ],
)
def test_a_file_that_is_no_environment(check: Check, project: Path, content: bytes, message: str) -> None:
    (project / "environments" / "dev.yaml").write_bytes(content)
    result = check("-e", "dev")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"environments/dev.yaml: {message}\n")


def test_it_is_found_from_any_folder_of_the_project(
    check: Check, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = project / "stacks" / "inner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    result = check("-e", "dev")
    assert result.exit_code == 0
    assert result.stdout.startswith("../../environments/dev.yaml: valid\n")


def test_outside_of_a_project(check: Check, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(project / "environments")
    monkeypatch.chdir(project)
    result = check()
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"aerodrome: no folder environments/ with YAML files in {project} or above; name it with --directory\n"
    )


def test_the_installed_command(project: Path) -> None:
    good = subprocess.run([COMMAND, "check", "-e", "dev"], capture_output=True, text=True, check=False, cwd=project)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("environments/dev.yaml: valid\n")
    (project / "environments" / "dev.yaml").write_text("account: {", "utf-8")
    bad = subprocess.run([COMMAND, "check"], capture_output=True, text=True, check=False, cwd=project)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("environments/dev.yaml: line 1, column 11: not YAML: ")
