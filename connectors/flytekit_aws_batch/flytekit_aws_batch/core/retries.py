"""When AWS Batch itself starts a job anew: its host was taken back, or its author said so."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from flytekit_aws_batch.core.spec import ExitRule, JobSpec

HOST_GONE: Final = "Host EC2*"
"""The status reason ``Host EC2 (instance i-…) terminated.``: spot took it back, or it broke
(https://aws.amazon.com/blogs/compute/introducing-retry-strategies-for-aws-batch/)."""

FARGATE_TASK_GONE: Final = "Your Spot Task was interrupted*"
"""The same on Fargate
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html)."""

MOST_ATTEMPTS: Final = 10
"""Of a job (https://docs.aws.amazon.com/batch/latest/APIReference/API_RetryStrategy.html)."""

MOST_RULES: Final = 5
"""Of a retry strategy, in the same place."""

SHORTEST_TIMEOUT_SECONDS: Final = 60
"""Of an attempt (https://docs.aws.amazon.com/batch/latest/APIReference/API_JobTimeout.html)."""

_SIGNALS: Final = range(1, 65)
# A shell and ECS say of a process that a signal ended 128 and the signal's number. flytekit's pyflyte-fast-execute, by
# which a task starts that travels with its code, ends with what Python says of its child, which is the number below
# zero: 256 less the number, as an exit code has eight bits (flytekit.bin.entrypoint.fast_execute_task_cmd).
_ENDED = 128
_CHILD_ENDED = 256
# 255 is what exit(-1) gives, far more often than SIGHUP's end of a child.
_MOST = 254
# Those that stand after the author's: another attempt after a reclaim, and none after anything else.
_OWN_RULES: Final = 2

# An asterisk may stand at the end only: https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
_EXIT_CODE: Final = re.compile(r"[0-9]{0,512}\*?")
_TEXT: Final = re.compile(r"[A-Za-z0-9.:\s]{0,512}\*?")


def attempts(spec: JobSpec) -> int:
    """Batch's attempts: one, and one for each reclaim that is borne."""
    return min(1 + spec.reclaims, MOST_ATTEMPTS)


def evaluate_on_exit(spec: JobSpec, *, fargate: bool) -> tuple[dict[str, str], ...]:
    """What decides whether another attempt is made: the author's rules, then reclaims, and nothing else.

    A job that is out of time, or that somebody ended, is not tried again whatever this says.

    Args:
        spec: With the author's rules.
        fargate: Whether it runs on Fargate.
    """
    return (
        *_rules(spec.on_exit),
        {"onStatusReason": FARGATE_TASK_GONE if fargate else HOST_GONE, "action": "RETRY"},
        # Batch tries again what matches nothing.
        {"onReason": "*", "action": "EXIT"},
    )


def ended_by(exit_code: int) -> int | None:
    """The number of the signal that ended a container's process, or the child that it ends like. None: none did."""
    if exit_code - _ENDED in _SIGNALS:
        return exit_code - _ENDED
    return _CHILD_ENDED - exit_code if exit_code <= _MOST and _CHILD_ENDED - exit_code in _SIGNALS else None


def _rules(rules: Sequence[ExitRule]) -> Iterator[dict[str, str]]:
    """The author's rules, each that names a signal's exit code with one for its other code, while there is room."""
    room = MOST_RULES - _OWN_RULES - len(rules)
    named = {rule.exit_code for rule in rules}
    for rule in rules:
        yield _rule(rule)
        other = _other_code(rule.exit_code)
        if room > 0 and other is not None and other not in named:
            room -= 1
            yield _rule(rule.model_copy(update={"exit_code": other}))


def _other_code(pattern: str | None) -> str | None:
    """What a task that travels with its code ends with, where another one ends with this."""
    number = int(pattern) - _ENDED if pattern and pattern.isdecimal() and len(pattern) <= len(str(_MOST)) else 0
    return str(_CHILD_ENDED - number) if number in _SIGNALS and _CHILD_ENDED - number <= _MOST else None


def _rule(rule: ExitRule) -> dict[str, str]:
    conditions = {"onExitCode": rule.exit_code, "onReason": rule.reason, "onStatusReason": rule.status_reason}
    return {
        **{name: pattern for name, pattern in conditions.items() if pattern is not None},
        "action": rule.action.upper(),
    }


def timeout(seconds: int | None) -> tuple[int | None, str | None]:
    """The longest that an attempt may take, as Batch takes it, and what was changed for that, if anything was."""
    if not seconds:
        return None, None
    if seconds < SHORTEST_TIMEOUT_SECONDS:
        return SHORTEST_TIMEOUT_SECONDS, f"its timeout of {seconds} s was raised to 60 s, the least that Batch takes"
    return seconds, None


def strategy(attempts: int, rules: tuple[dict[str, str], ...]) -> dict[str, Any]:
    """The retry strategy of SubmitJob."""
    return {"attempts": attempts, "evaluateOnExit": [dict(rule) for rule in rules]}


def rule_problems(spec: JobSpec) -> Iterator[str]:
    """What is wrong with the author's rules."""
    for position, rule in enumerate(spec.on_exit):
        here = f"on_exit[{position}]"
        if rule.exit_code is None and rule.reason is None and rule.status_reason is None:
            yield f"{here} has no condition, and would hold for every end; give exit_code, reason or status_reason"
        if rule.exit_code is not None and not (rule.exit_code and _EXIT_CODE.fullmatch(rule.exit_code)):
            yield f"{here}.exit_code={rule.exit_code!r}: digits, and an asterisk at the end at most, such as 137"
        for name, pattern in (("reason", rule.reason), ("status_reason", rule.status_reason)):
            if pattern is not None and not (pattern and _TEXT.fullmatch(pattern)):
                yield (
                    f"{here}.{name}={pattern!r}: up to 512 letters, digits, periods, colons and spaces, an asterisk "
                    "at the end at most; end it before another character"
                )
        if rule.action == "retry" and spec.reclaims == 0:
            yield (
                f"{here} says retry, but reclaims=0 leaves Batch a single attempt; give reclaims=1 or more, or leave "
                "trying again to the task's retries"
            )
