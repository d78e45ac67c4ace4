"""What flytekit imports with itself: the tasks and the connector are known from then on."""

import os

from flytekit_aws_batch import connector, task
from flytekit_aws_batch.core.settings import VARIABLE, Settings, SettingsError

__all__ = ["connector", "task"]

# A service with settings that it cannot use is not to start: each task that it is given would fail.
try:
    _settings = Settings.load()
    # Where the file is, there is a connector. Elsewhere, as in every container, nobody is to wait for botocore.
    if VARIABLE in os.environ and _settings.region is None and not os.environ.get("AWS_DEFAULT_REGION"):
        from flytekit_aws_batch.core.aws import see_region

        see_region(_settings)
except SettingsError as error:
    raise SystemExit(f"flytekit-aws-batch: {error}") from None
