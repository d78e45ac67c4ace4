"""An AWS Batch job: reads a labelled CSV file from S3, trains a classifier, writes the model and its metrics to S3.

    python train_classifier.py --input s3://bucket/data.csv --output s3://bucket/prefix

The file's first row names its columns; the column ``target`` is the label. Two objects are written below the prefix:
``model.joblib`` and ``metrics.json``.
"""

import argparse
import io
import json
from urllib.parse import urlsplit

import boto3
import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

LABEL = "target"
CLASSES = 2


def train(table: str) -> tuple[bytes, dict[str, float]]:
    """Train a classifier on a CSV text and say how good it is on the quarter of the rows that it did not see.

    Args:
        table: The rows; the first names the columns, and the column ``target`` holds the label, 0 or 1.

    Returns:
        The serialized model, and its metrics: rows, accuracy, ROC AUC.

    Raises:
        ValueError: If the table has no label, or labels of other than two classes.
    """
    columns = table.partition("\n")[0].strip().split(",")
    if LABEL not in columns:
        raise ValueError(f"the input has no column {LABEL!r}; its columns are {', '.join(columns)}")
    rows = np.loadtxt(io.StringIO(table), delimiter=",", skiprows=1, ndmin=2)
    label = columns.index(LABEL)
    features, labels = np.delete(rows, label, axis=1), rows[:, label]
    if len(set(labels)) != CLASSES:
        raise ValueError(f"the column {LABEL!r} holds {len(set(labels))} classes; this job tells two apart")
    seen, unseen, seen_labels, unseen_labels = train_test_split(
        features, labels, test_size=0.25, random_state=0, stratify=labels
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(seen, seen_labels)
    serialized = io.BytesIO()
    joblib.dump(model, serialized)
    return serialized.getvalue(), {
        "rows": len(rows),
        "accuracy": float(accuracy_score(unseen_labels, model.predict(unseen))),
        "roc_auc": float(roc_auc_score(unseen_labels, model.predict_proba(unseen)[:, 1])),
    }


def main() -> None:
    """Read the input, train, write the output."""
    parser = argparse.ArgumentParser(description="Train a classifier on a CSV file in S3.")
    parser.add_argument("--input", required=True, help="the S3 URI of the CSV file")
    parser.add_argument("--output", required=True, help="the S3 URI below which the model and its metrics are written")
    arguments = parser.parse_args()
    source, target = urlsplit(arguments.input), urlsplit(arguments.output)
    s3 = boto3.client("s3")
    table = s3.get_object(Bucket=source.netloc, Key=source.path.lstrip("/"))["Body"].read().decode()
    model, metrics = train(table)
    prefix = target.path.strip("/")
    s3.put_object(Bucket=target.netloc, Key=f"{prefix}/model.joblib", Body=model)
    s3.put_object(Bucket=target.netloc, Key=f"{prefix}/metrics.json", Body=json.dumps(metrics, indent=2).encode())
    print(f"trained on {metrics['rows']} rows: accuracy {metrics['accuracy']:.3f}, ROC AUC {metrics['roc_auc']:.3f}")


if __name__ == "__main__":
    main()
