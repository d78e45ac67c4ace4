"""What the embedded Batch takes from the server's environment."""

import sys
from pathlib import Path

import pytest

from aerodrome_local.batch_service.settings import Settings


def settings(**environment: str) -> Settings:
    return Settings.from_environment(
        environment, directory=Path("/state/batch"), endpoint="http://127.0.0.1:4600", extra_environment={"MARK": "1"}
    )


def test_everything_has_a_default() -> None:
    made = settings()
    assert made.work_dir == Path("/state/batch/work")
    assert made.database == Path("/state/batch/batch.sqlite")
    assert made.job_path == str(Path(sys.executable).parent)
    assert made.slots >= 4
    assert made.time_scale == 1
    assert made.extra_environment == {"MARK": "1"}


def test_variables_change_it() -> None:
    made = settings(
        AERODROME_JOB_PATH="/project/.venv/bin", AERODROME_BATCH_SLOTS="7", AERODROME_BATCH_TIME_SCALE="0.01"
    )
    assert (made.job_path, made.slots, made.time_scale) == ("/project/.venv/bin", 7, 0.01)


@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", "inf"])
def test_a_variable_that_is_no_positive_number_is_refused_by_name(value: str) -> None:
    with pytest.raises(ValueError, match=f"AERODROME_BATCH_SLOTS='{value}': a number above 0 is needed"):
        settings(AERODROME_BATCH_SLOTS=value)
