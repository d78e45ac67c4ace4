"""What flytekit imports with itself: the tasks and the connector are known from then on."""

from flytekit_aws_batch import connector, task
from flytekit_aws_batch.core.settings import Settings, SettingsError

__all__ = ["connector", "task"]

# A service with settings that it cannot use is not to start: each task that it is given would fail.
try:
    Settings.load()
except SettingsError as error:
    raise SystemExit(f"flytekit-aws-batch: {error}") from None
