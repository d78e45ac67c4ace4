"""The code asset of the functions: their own package, and nothing else. boto3 comes with Lambda's runtime."""

import functools
import shutil
import tempfile
from pathlib import Path

COUNTER = "aerodrome_constructs.job_monitoring.metrics_handler.handler.handle"
"""The entry point of the function that counts. The parent packages have no ``__init__.py`` in the asset, so the
constructs stay behind."""

WATCH = "aerodrome_constructs.job_monitoring.metrics_handler.watch.handle"
"""The entry point of the function that looks."""

_SOURCE = Path(__file__).with_name("metrics_handler")
_directories: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def build() -> Path:
    """Lay the asset out in a directory that exists until this process ends.

    The files depend on the commit only, and so does the asset's hash, which the CDK makes of them.
    """
    _directories.append(tempfile.TemporaryDirectory(prefix="job-monitoring-"))
    root = Path(_directories[-1].name)
    package = root.joinpath(*COUNTER.split(".")[:-2])
    package.mkdir(parents=True)
    for file in sorted(_SOURCE.glob("*.py")):
        shutil.copyfile(file, package / file.name)
    return root
