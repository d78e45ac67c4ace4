import io
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import boto3
import joblib
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from aerodrome_workflows import train_classifier
from aerodrome_workflows.train_classifier import train
from tests.templates import ROOT


def table(columns: list[str], rows: list[list[float]]) -> str:
    lines = [",".join(map(str, row)) for row in rows]
    return "\n".join([",".join(columns), *lines]) + "\n"


@pytest.fixture(scope="module")
def tumours() -> str:
    """The data set that scikit-learn ships: 569 tumours, 30 measurements each, and whether they are benign."""
    data = load_breast_cancer()
    columns = [name.replace(" ", "_") for name in data.feature_names]
    return table([*columns, "target"], np.column_stack([data.data, data.target]).tolist())


class S3:
    """As much of S3 as the job uses, in memory."""

    def __init__(self, objects: dict[tuple[str, str], bytes]) -> None:
        self.objects = objects

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return {"Body": io.BytesIO(self.objects[Bucket, Key])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - boto3's names
        self.objects[Bucket, Key] = Body


@pytest.fixture
def s3(tumours: str, monkeypatch: pytest.MonkeyPatch) -> S3:
    """A bucket with the data set in it."""
    fake = S3({("inbox", "fraud/data.csv"): tumours.encode()})
    monkeypatch.setattr(boto3, "client", {"s3": fake}.__getitem__)
    return fake


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line that the job definition gives."""
    monkeypatch.setattr(sys, "argv", ["-c", "--input", "s3://inbox/fraud/data.csv", "--output", "s3://outbox/run-1/"])


def test_the_model_is_as_good_as_a_linear_one_gets(tumours: str) -> None:
    _, metrics = train(tumours)
    assert metrics["rows"] == 569
    assert metrics["accuracy"] > 0.95
    assert metrics["roc_auc"] > 0.99


def test_the_serialized_model_predicts(tumours: str) -> None:
    serialized, _ = train(tumours)
    model = joblib.load(io.BytesIO(serialized))
    data = load_breast_cancer()
    assert (model.predict(data.data) == data.target).mean() > 0.95


def test_the_same_input_gives_the_same_metrics(tumours: str) -> None:
    assert train(tumours)[1] == train(tumours)[1]


def test_the_label_may_be_any_column() -> None:
    rows = [[label, label + index / 100] for index in range(20) for label in (0.0, 1.0)]
    assert train(table(["target", "x"], rows))[1]["accuracy"] == 1.0
    assert train(table(["x", "target"], [row[::-1] for row in rows]))[1]["accuracy"] == 1.0


def test_windows_line_endings_do_not_hide_the_label(tumours: str) -> None:
    assert train(tumours.replace("\n", "\r\n"))[1] == train(tumours)[1]


def test_fails_without_a_label_and_says_which_columns_there_are() -> None:
    with pytest.raises(ValueError, match="the input has no column 'target'; its columns are x, y"):
        train(table(["x", "y"], [[1, 0], [2, 1]]))


@pytest.mark.parametrize(("labels", "classes"), [([1, 1, 1, 1], 1), ([0, 1, 2, 0], 3)])
def test_fails_if_there_are_not_two_classes(labels: list[float], classes: int) -> None:
    with pytest.raises(ValueError, match=f"the column 'target' holds {classes} classes; this job tells two apart"):
        train(table(["x", "target"], [[index, label] for index, label in enumerate(labels)]))


@pytest.mark.usefixtures("arguments")
def test_the_job_writes_the_model_and_its_metrics_below_the_prefix(s3: S3) -> None:
    train_classifier.main()

    assert set(s3.objects) == {
        ("inbox", "fraud/data.csv"),
        ("outbox", "run-1/model.joblib"),
        ("outbox", "run-1/metrics.json"),
    }
    assert json.loads(s3.objects["outbox", "run-1/metrics.json"]).keys() == {"rows", "accuracy", "roc_auc"}
    assert joblib.load(io.BytesIO(s3.objects["outbox", "run-1/model.joblib"])).n_features_in_ == 30


@pytest.mark.usefixtures("arguments", "s3")
def test_the_jobs_log_says_how_it_went(capsys: pytest.CaptureFixture[str]) -> None:
    train_classifier.main()

    assert capsys.readouterr().out.startswith("trained on 569 rows: accuracy 0.9")


@pytest.mark.usefixtures("arguments")
def test_the_script_runs_where_there_is_nothing_but_its_text(s3: S3, tmp_path: Path) -> None:
    # The job definition carries the text: no file, and no package of ours beside it.
    script = (ROOT / "workflows/aerodrome_workflows/train_classifier.py").read_text(encoding="utf-8")
    assert "__file__" not in script
    assert "aerodrome" not in script
    (tmp_path / "job.py").write_text(script, encoding="utf-8")

    runpy.run_path(str(tmp_path / "job.py"), run_name="__main__")

    assert ("outbox", "run-1/model.joblib") in s3.objects


@pytest.mark.parametrize("missing", ["--input", "--output"])
def test_a_missing_argument_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [name for name in ("--input", "--output") if name != missing]
    monkeypatch.setattr(sys, "argv", ["-c", *given, "s3://bucket/key"])
    with pytest.raises(SystemExit) as stopped:
        train_classifier.main()
    assert stopped.value.code == 2
    assert f"the following arguments are required: {missing}" in capsys.readouterr().err
