"""``aerodrome check-workflows``, with tasks that flytekit has started by a connector."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Command = Callable[..., CompletedProcess[str]]

PACKAGE = """\
from flytekit import task, workflow
from flytekit.extras.sqlite3.task import SQLite3Config, SQLite3Task
from flytekit.sensor.file_sensor import FileSensor

arrived = FileSensor(name="team.arrived")
rows = SQLite3Task(name="team.rows", query_template="select 1", task_config=SQLite3Config(uri="https://db.invalid/a.db"))

@task
def count() -> int:
    return 1
"""


def test_a_task_of_a_connector_that_is_not_there_is_refused_and_no_other(check: Command, tmp_path: Path) -> None:
    # SQLite's has a type of its own, too, and runs in a container.
    (tmp_path / "team.py").write_text(PACKAGE, "utf-8")
    done = check("team.py", "--env", "dev", cwd=tmp_path)

    assert done.returncode == 2, done.stderr
    line, counts = done.stderr.splitlines()
    assert line.startswith("task team.arrived: a task of type sensor: dev has no connector for it (it has none): ")
    assert "add sensor to the task_types of a connector in flyte.connectors of dev" in line
    assert counts == "1 refused"
