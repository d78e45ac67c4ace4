"""What the embedded Batch can be told from outside."""

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


def _default_slots() -> int:
    # Jobs of a demonstration mostly wait for S3 and start-up, so twice the cores; at least four, or an array job on a
    # small machine would not show any concurrency.
    return max(4, 2 * (os.cpu_count() or 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one embedded Batch.

    Attributes:
        work_dir: The directory below which each attempt gets a working directory of its own, removed when it ends.
        database: The SQLite file that holds definitions and jobs. In memory when None.
        endpoint: The endpoint URL that jobs find in ``AWS_ENDPOINT_URL``.
        job_path: Directories that jobs find first on PATH, separated as PATH is. The server's own interpreter's
            directory unless said otherwise.
        slots: How many jobs run at the same time, over all queues. Twice the cores, at least four.
        time_scale: How many seconds here a second of the API lasts, for timeouts, time limits and share decay. 1 unless
            said otherwise; AWS's shortest timeout is 60 seconds and its shortest time limit 600, so a demonstration
            and a test set a small one.
        stop_grace: Seconds between SIGTERM and SIGKILL when a job is stopped. AWS gives 30.
        extra_environment: Variables that every job gets besides those it gets on AWS.
    """

    work_dir: Path
    database: Path | None = None
    endpoint: str
    job_path: str = field(default_factory=lambda: str(Path(sys.executable).parent))
    slots: int = field(default_factory=_default_slots)
    time_scale: float = 1.0
    stop_grace: float = 5.0
    extra_environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def files_dir(self) -> Path:
        """The directory that holds the file systems that jobs mount, and that no restart empties."""
        return self.work_dir.parent / "files"

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str],
        *,
        directory: Path,
        endpoint: str,
        extra_environment: Mapping[str, str],
    ) -> "Settings":
        """Settings of the server process.

        ``AERODROME_JOB_PATH``, ``AERODROME_BATCH_SLOTS`` and ``AERODROME_BATCH_TIME_SCALE`` set ``job_path``, ``slots``
        and ``time_scale``. ``directory`` holds the database and the working directories.

        Raises:
            ValueError: A variable is not a positive number.
        """
        defaults = cls(work_dir=directory / "work", endpoint=endpoint)
        return cls(
            work_dir=defaults.work_dir,
            database=directory / "batch.sqlite",
            endpoint=endpoint,
            extra_environment=extra_environment,
            job_path=environment.get("AERODROME_JOB_PATH") or defaults.job_path,
            slots=max(1, int(_positive(environment, "AERODROME_BATCH_SLOTS", defaults.slots))),
            time_scale=_positive(environment, "AERODROME_BATCH_TIME_SCALE", defaults.time_scale),
        )


def _positive(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < math.inf:
        raise ValueError(f"{name}={text!r}: a number above 0 is needed; unset it for the default, {default:g}")
    return number
