"""Deploying the platform to the embedded AWS with the CDK CLI, as it would be deployed to AWS."""

import contextlib
import os
import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from aerodrome.embedded_aws import EmbeddedAws
from aerodrome.project import PROJECT
from aerodrome.try_out.programs import PATIENCE, run_logged

# The CLI waits 5 seconds between looks at a stack: stacks that do not wait for each other go side by side.
_CONCURRENCY = 8
# How many of the last lines of the CLI's output an error shows.
_TAIL = 25
_STACK_DONE = re.compile(r"✅\s+(\S+)")
_SETTINGS = {
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "NO_COLOR": "1",
    # The CDK's validation of templates takes longer than the synth itself. It is on where it counts: in `make test`
    # and in every `cdk deploy` to AWS.
    "CDK_VALIDATION": "false",
}


class CdkError(Exception):
    """The CDK CLI failed. The message names the log and shows its end."""


def is_bootstrapped(aws: EmbeddedAws) -> bool:
    """Whether the account and region have what the CDK needs to deploy there."""
    # In review, it waits for a change set that somebody was interrupted before executing.
    return any(
        stack["StackName"] == "CDKToolkit" and stack["StackStatus"] != "REVIEW_IN_PROGRESS" for stack in aws.stacks()
    )


def end_left_over(assembly: Path) -> None:
    """End a CLI that outlived its run, which was killed.

    It would go on deploying, and as long as it reads an assembly, no other CLI writes there.

    Args:
        assembly: The folder in which the CLI keeps locks: files with the number of the process that has it.
    """
    for lock in assembly.glob("*.lock"):
        number = lock.read_text(encoding="utf-8").strip()
        if number.isdigit():
            _end_cli(int(number), assembly)
        # To the CLI, a process that ended and that nobody has asked about still has its lock.
        lock.unlink(missing_ok=True)


def _end_cli(pid: int, assembly: Path) -> None:
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):  # it ended by itself
        cli = psutil.Process(pid)
        # Another process may have its number by now.
        if any(str(assembly) in argument for argument in cli.cmdline()):
            group = os.getpgid(pid)
            os.killpg(group, signal.SIGTERM)
            try:
                cli.wait(PATIENCE)
            except psutil.TimeoutExpired:
                os.killpg(group, signal.SIGKILL)
                cli.wait(PATIENCE)


def synthesize(aws: EmbeddedAws, environment: str, assembly: Path, log: Path) -> None:
    """Write the CloudFormation templates of an environment.

    Args:
        aws: Where they will be deployed to.
        environment: Which environment.
        assembly: The folder that gets the templates and their assets.
        log: The file that gets the CLI's output.

    Raises:
        CdkError: If the CLI failed.
    """
    _run_cdk(aws, ["synth", f"--context=env={environment}", f"--output={assembly}", "--quiet"], log)


def bootstrap(aws: EmbeddedAws, assembly: Path, log: Path) -> None:
    """Prepare the account and region of an assembly for the CDK.

    Raises:
        CdkError: If the CLI failed.
    """
    _run_cdk(aws, ["bootstrap", f"--app={assembly}"], log)


def deploy(aws: EmbeddedAws, assembly: Path, log: Path, on_stack: Callable[[str], None]) -> int:
    """Deploy every stack of an assembly, and return how many there are.

    Args:
        aws: Where to.
        assembly: What `synthesize` wrote.
        log: The file that gets the CLI's output.
        on_stack: Called with a stack's name when it is deployed.

    Raises:
        CdkError: If the CLI failed.
    """
    done: set[str] = set()

    def on_line(line: str) -> None:
        match = _STACK_DONE.search(line)
        if match and match[1] not in done:
            done.add(match[1])
            on_stack(match[1])

    _run_cdk(
        aws,
        [
            "deploy",
            f"--app={assembly}",
            "--all",
            "--require-approval=never",
            f"--concurrency={_CONCURRENCY}",
            "--progress=events",
        ],
        log,
        on_line,
    )
    return len(done)


def _run_cdk(
    aws: EmbeddedAws, arguments: Sequence[str], log: Path, on_line: Callable[[str], None] = lambda _: None
) -> None:
    status = run_logged(
        [PROJECT.cdk, *arguments, "--no-notices"],
        variables=aws.environment_variables() | _SETTINGS,
        log=log,
        on_line=on_line,
    )
    if status != 0:
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        # Where several stacks are deployed at once, the reason is long gone when the last of them is done.
        reasons = [line for line in lines[:-_TAIL] if "_FAILED " in line]
        shown = "".join([*reasons, *lines[-_TAIL:]])
        raise CdkError(f"`cdk {arguments[0]}` failed; its failures and the end of {log}:\n{shown}")
