"""AWS KMS: how long a key that was deleted can be had back, which MiniStack looks at when it is too late."""

from typing import Any

from aerodrome_local.runtime import Properties, Runtime

_LEAST_DAYS, _MOST_DAYS = 7, 30
"""https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""


def install(runtime: Runtime) -> None:
    """Register the hook."""
    runtime.on_create("AWS::KMS::Key", _check_window)


def _check_window(_key_id: str, properties: Properties, _attributes: dict[str, Any]) -> None:
    # CloudFormation refuses it at once. MiniStack would refuse only the deletion, in silence, and the key would stay.
    days = int(properties.get("PendingWindowInDays", _MOST_DAYS))
    if not _LEAST_DAYS <= days <= _MOST_DAYS:
        raise ValueError(f"PendingWindowInDays is {days}: AWS takes {_LEAST_DAYS} to {_MOST_DAYS} days")
