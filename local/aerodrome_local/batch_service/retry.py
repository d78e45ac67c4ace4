"""What follows a failed attempt: another one, or the end of the job."""

import re

from aerodrome_local.batch_service.model import Json


def retries(strategy: Json, made: int, *, exit_code: int | None, reason: str, status_reason: str) -> bool:
    """Whether Batch tries again after an attempt that failed.

    The first entry of ``evaluateOnExit`` all of whose conditions hold decides; when none holds, the job is retried.
    (https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html)

    Args:
        strategy: The job's ``retryStrategy``.
        made: How many attempts were made.
        exit_code: The container's exit code. None when it never ran to an end.
        reason: The container's reason, or an empty text.
        status_reason: The attempt's status reason.
    """
    if made >= strategy["attempts"]:
        return False
    observed = {
        "onExitCode": "" if exit_code is None else str(exit_code),
        "onReason": reason,
        "onStatusReason": status_reason,
    }
    for entry in strategy.get("evaluateOnExit") or []:
        if all(_matches(entry[name], text) for name, text in observed.items() if entry.get(name) is not None):
            action: str = entry["action"]
            return action.upper() == "RETRY"
    return True


def _matches(pattern: str, text: str) -> bool:
    """Whether a text is what the pattern says. An asterisk at the end stands for anything, as does a lone one."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text, re.IGNORECASE | re.DOTALL) is not None
