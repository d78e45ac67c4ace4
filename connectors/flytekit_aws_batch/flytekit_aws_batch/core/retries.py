"""When AWS Batch itself starts a job anew: its host was taken back, or its author said so."""

import re
from collections.abc import Iterator
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
        *(_rule(each) for each in spec.on_exit),
        {"onStatusReason": FARGATE_TASK_GONE if fargate else HOST_GONE, "action": "RETRY"},
        # Batch tries again what matches nothing.
        {"onReason": "*", "action": "EXIT"},
    )


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
