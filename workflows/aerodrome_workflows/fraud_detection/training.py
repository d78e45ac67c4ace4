"""A Flyte workflow: card transactions become features, AWS Batch finds the best model, and a good one is released.

It runs on this machine as it is, without a cluster (workflows/README.md):

    pyflyte run workflows/aerodrome_workflows/fraud_detection/training.py train_fraud_model

The search is one array job of AWS Batch, in which each job tries one candidate; the training is a job by itself. What a
task asks for is a limit as much as a request: a pod or a job that needs more memory is killed. What AWS Batch can be
asked for, ``aerodrome check-workflows`` knows.
"""

import csv
import json
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
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
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import cross_val_score

from flytekit_aws_batch import AWSBatch, map_task

COLUMNS = ("amount", "hour", "distance_km", "cards_seen", "fraud")

# Raised whenever what the cached tasks compute changes: a cached output is found by this and by the inputs.
CACHE_VERSION = "2"

# Until six in the morning few people shop.
NIGHT_ENDS = 6

# Small tasks on the cluster's spot nodes. A node that is taken back costs nothing but its minutes: such a failure is
# retried by itself, and these retries are for the errors that remain.
POD = Resources(cpu="1", mem="1Gi")

# Threads that wait for each other sleep: where jobs share cores, as on a laptop, those that spin would take a hundred
# times as long.
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}

# A model is scored on each part after it has learned from the others.
PARTS = 3


@dataclass(frozen=True)
class Candidate:
    """How a model may learn.

    Attributes:
        learning_rate: How much each tree corrects those before it.
        leaves: How many leaves a tree has at most.
        l2: How much large corrections are held back.
    """

    learning_rate: float
    leaves: int
    l2: float

    def model(self, rounds: int) -> HistGradientBoostingClassifier:
        """A model that has not learned yet, of so many trees."""
        return HistGradientBoostingClassifier(
            max_iter=rounds,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            l2_regularization=self.l2,
            random_state=0,
        )


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


@task(cache=True, cache_version=CACHE_VERSION, interruptible=True, retries=2, timeout=timedelta(minutes=10), limits=POD)
def candidates(count: int, seed: int) -> list[Candidate]:
    """Make up candidates. The first is what scikit-learn takes unless told otherwise: a search never ends worse."""
    random = np.random.default_rng(seed)
    others = [
        Candidate(
            learning_rate=round(float(10 ** random.uniform(-1.7, -0.3)), 4),
            leaves=int(random.integers(7, 64)),
            l2=round(float(10 ** random.uniform(-3, 1)), 4),
        )
        for _ in range(count - 1)
    ]
    return [Candidate(learning_rate=0.1, leaves=31, l2=0.0), *others]


@task(
    task_config=AWSBatch(tags={"workload": "fraud-search"}),
    cache=True,
    cache_version=CACHE_VERSION,
    # On spot instances. One that is taken back uses up none of the retries, which are for the errors that remain.
    interruptible=True,
    retries=1,
    timeout=timedelta(minutes=30),
    limits=Resources(cpu="2", mem="4Gi"),
    environment={"OMP_NUM_THREADS": "2", **PATIENT},
)
def score(candidate: Candidate, features: FlyteFile, rounds: int) -> float:
    """Say how good a candidate is on transactions that it did not learn from: its mean ROC AUC, 0 to 1."""
    with np.load(features.download()) as arrays:
        x, y = arrays["x"], arrays["y"]
    return float(cross_val_score(candidate.model(rounds), x, y, cv=PARTS, scoring="roc_auc").mean())


@task(cache=True, cache_version=CACHE_VERSION, interruptible=True, retries=2, timeout=timedelta(minutes=10), limits=POD)
def choose(candidates: list[Candidate], scores: list[float | None]) -> Candidate:
    """Take the best of the candidates that have a score."""
    scored = [(score, -position) for position, score in enumerate(scores) if score is not None]
    best, position = max(scored)
    print(f"{len(scored)} of {len(candidates)} candidates have a score; the best, {best:.4f}, is number {-position}")
    return candidates[-position]


@task(
    task_config=AWSBatch(tags={"workload": "fraud-training"}),
    cache=True,
    cache_version=CACHE_VERSION,
    interruptible=True,
    retries=2,
    timeout=timedelta(hours=2),
    limits=Resources(cpu="4", mem="14Gi"),
    environment={"OMP_NUM_THREADS": "4", **PATIENT},
)
def train(features: FlyteFile, candidate: Candidate, rounds: int) -> FlyteFile:
    """Train the model on AWS Batch: the task that is worth an instance of its own."""
    with np.load(features.download()) as arrays:
        x, y = arrays["x"], arrays["y"]
    model = candidate.model(rounds).fit(x, y)
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
    # In S3, unless everything runs here without it.
    place = model.remote_source or model.path
    card = {"released": True, "model": place, "roc_auc": roc_auc, "average_precision": average_precision}
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
    transactions: int = 8000, seed: int = 0, search: int = 6, rounds: int = 100, least_roc_auc: float = 0.75
) -> FlyteFile:
    """Find the best of some fraud models, train it, and release it if it is good enough.

    Args:
        transactions: How many transactions to make up.
        seed: Of the chance that makes them up, and the candidates: the same seed gives the same model.
        search: How many candidates to try, at least one.
        rounds: How many trees to grow.
        least_roc_auc: The ROC AUC that a model needs to be released.

    Returns:
        A JSON file: whether the model was released, and how good it is.
    """
    matrix = features(transactions=ingest(transactions=transactions, seed=seed))
    tried = candidates(count=search, seed=seed)
    # One array job, 20 of its jobs at once. Where up to a quarter of them fail, the best of the others is taken.
    scores = map_task(partial(score, features=matrix, rounds=rounds), concurrency=20, min_success_ratio=0.75)(
        candidate=tried
    )
    model = train(features=matrix, candidate=choose(candidates=tried, scores=scores), rounds=rounds)
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
    default_inputs={"transactions": 200_000, "search": 60, "rounds": 400},
    schedule=CronSchedule(schedule="0 3 * * *"),
    # One that still runs at the next night's three has no company.
    concurrency=ConcurrencyPolicy(max_concurrency=1),
)
"""Every night at three, UTC, once somebody activates it."""
