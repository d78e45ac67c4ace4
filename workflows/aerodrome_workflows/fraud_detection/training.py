"""A Flyte workflow: card transactions become features, AWS Batch trains on them, and a good enough model is released.

It runs on this machine as it is, without a cluster (workflows/README.md):

    pyflyte run workflows/aerodrome_workflows/fraud_detection/training.py train_fraud_model

What a task asks for is a limit as much as a request: a pod or a job that needs more memory is killed. What AWS Batch
can be asked for, ``aerodrome check-workflows`` knows.
"""

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
from flytekit import (
    ConcurrencyPolicy,
    CronSchedule,
    LaunchPlan,
    Resources,
    conditional,
    current_context,
    task,
    workflow,
)
from flytekit.types.file import FlyteFile
from flytekitplugins.awsbatch import AWSBatchConfig
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

COLUMNS = ("amount", "hour", "distance_km", "cards_seen", "fraud")

# Raised whenever what the cached tasks compute changes: a cached output is found by this and by the inputs.
CACHE_VERSION = "1"

# Until six in the morning few people shop.
NIGHT_ENDS = 6

# Small tasks on the cluster's spot nodes. A node that is taken back costs nothing but its minutes: such a failure is
# retried by itself, and these retries are for the errors that remain.
POD = Resources(cpu="1", mem="1Gi")


class Quality(NamedTuple):
    """How good a model is on transactions that it did not learn from.

    Attributes:
        roc_auc: The chance that it holds a fraud for more suspicious than an honest transaction, 0 to 1.
        average_precision: The area under its curve of precision over recall, 0 to 1.
    """

    roc_auc: float
    average_precision: float


@task(cache=True, cache_version=CACHE_VERSION, interruptible=True, retries=2, timeout=timedelta(minutes=10), limits=POD)
def ingest(transactions: int, seed: int) -> FlyteFile:
    """Make up card transactions as a CSV file. Yours come from somewhere: read them here."""
    random = np.random.default_rng(seed)
    amount = random.lognormal(3.0, 1.0, transactions)
    hour = random.integers(0, 24, transactions)
    distance = random.exponential(20.0, transactions)
    cards = random.poisson(1.0, transactions)
    # Large sums, at night, far from home, at a terminal that has just seen other cards.
    suspicion = 0.03 * amount + 1.5 * (hour < NIGHT_ENDS) + 0.03 * distance + 0.8 * cards
    fraud = random.random(transactions) < 1 / (1 + np.exp(6.5 - suspicion))
    path = Path(current_context().working_directory) / "transactions.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(zip(amount.round(2), hour, distance.round(1), cards, fraud.astype(int), strict=True))
    return FlyteFile(str(path))


@task(cache=True, cache_version=CACHE_VERSION, interruptible=True, retries=2, timeout=timedelta(minutes=10), limits=POD)
def features(transactions: FlyteFile) -> FlyteFile:
    """Turn transactions into a matrix of features and their labels, the last quarter kept for the evaluation."""
    rows = np.loadtxt(transactions.download(), delimiter=",", skiprows=1, ndmin=2)
    amount, hour, distance, cards, fraud = rows.T
    matrix = np.column_stack([np.log1p(amount), hour < NIGHT_ENDS, np.log1p(distance), cards])
    path = Path(current_context().working_directory) / "features.npz"
    seen = len(rows) * 3 // 4
    np.savez(path, x=matrix[:seen], y=fraud[:seen], unseen_x=matrix[seen:], unseen_y=fraud[seen:])
    return FlyteFile(str(path))


@task(
    # Who may submit another project's jobs can neither take over nor end one that says whose it is.
    task_config=AWSBatchConfig(
        propagateTags=True, tags={"aerodrome:project": "fraud-detection", "workload": "fraud-training"}
    ),
    # Batch's attempts come to one more. A spot instance that is taken back uses one up, as an error of the code does.
    retries=3,
    timeout=timedelta(hours=2),
    # Not cached: the plugin looks for the inputs of a cached task where they are not (aerodrome check-workflows).
    limits=Resources(cpu="4", mem="14Gi"),
    environment={"OMP_NUM_THREADS": "4"},
)
def train(features: FlyteFile, rounds: int) -> FlyteFile:
    """Train the model on AWS Batch: the task that is worth an instance of its own."""
    with np.load(features.download()) as arrays:
        x, y = arrays["x"], arrays["y"]
    model = HistGradientBoostingClassifier(max_iter=rounds, random_state=0).fit(x, y)
    path = Path(current_context().working_directory) / "model.joblib"
    joblib.dump(model, path)
    return FlyteFile(str(path))


@task(cache=True, cache_version=CACHE_VERSION, interruptible=True, retries=2, timeout=timedelta(minutes=10), limits=POD)
def evaluate(model: FlyteFile, features: FlyteFile) -> Quality:
    """Say how good the model is on the quarter of the transactions that it has not seen."""
    with np.load(features.download()) as arrays:
        x, y = arrays["unseen_x"], arrays["unseen_y"]
    scores = joblib.load(model.download()).predict_proba(x)[:, 1]
    return Quality(roc_auc=float(roc_auc_score(y, scores)), average_precision=float(average_precision_score(y, scores)))


@task(interruptible=True, retries=2, timeout=timedelta(minutes=10), limits=POD)
def release(model: FlyteFile, roc_auc: float, average_precision: float) -> FlyteFile:
    """Write the card of a model that may be used: where it is, and how good."""
    card = {"released": True, "model": model.path, "roc_auc": roc_auc, "average_precision": average_precision}
    return _written("release.json", card)


@task(interruptible=True, retries=2, timeout=timedelta(minutes=10), limits=POD)
def turn_down(roc_auc: float, least_roc_auc: float) -> FlyteFile:
    """Write why a model stays out of use."""
    return _written("release.json", {"released": False, "roc_auc": roc_auc, "least_roc_auc": least_roc_auc})


def _written(name: str, content: dict[str, object]) -> FlyteFile:
    path = Path(current_context().working_directory) / name
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return FlyteFile(str(path))


@workflow
def train_fraud_model(
    transactions: int = 8000, seed: int = 0, rounds: int = 100, least_roc_auc: float = 0.75
) -> FlyteFile:
    """Train a fraud model and release it if it is good enough.

    Args:
        transactions: How many transactions to make up.
        seed: Of the chance that makes them up: the same seed gives the same model.
        rounds: How many trees to grow.
        least_roc_auc: The ROC AUC that a model needs to be released.

    Returns:
        A JSON file: whether the model was released, and how good it is.
    """
    matrix = features(transactions=ingest(transactions=transactions, seed=seed))
    model = train(features=matrix, rounds=rounds)
    quality = evaluate(model=model, features=matrix)
    return (
        conditional("good_enough")
        .if_(quality.roc_auc >= least_roc_auc)
        .then(release(model=model, roc_auc=quality.roc_auc, average_precision=quality.average_precision))
        .else_()
        .then(turn_down(roc_auc=quality.roc_auc, least_roc_auc=least_roc_auc))
    )


nightly = LaunchPlan.get_or_create(
    train_fraud_model,
    name="aerodrome_workflows.fraud_detection.training.nightly",
    default_inputs={"transactions": 200_000, "rounds": 400},
    schedule=CronSchedule(schedule="0 3 * * *"),
    # One that still runs at the next night's three has no company.
    concurrency=ConcurrencyPolicy(max_concurrency=1),
)
"""Every night at three, UTC, once somebody activates it."""
