"""A Flyte workflow that keeps its models in MLflow: one task registers what it trained, another loads what is in use.

Both know MLflow by the service account of their pods and have no credentials: neither for MLflow, which their client
signs on to by itself (clients/README.md), nor for the bucket of models, which MLflow alone can reach
(docs/how-to/use-the-model-registry.md). On this machine, with a folder for a registry:

    export MLFLOW_TRACKING_URI=file://$PWD/.aerodrome/registry MLFLOW_ALLOW_FILE_STORE=true
    pyflyte run workflows/aerodrome_workflows/model_registry.py register_and_score
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import joblib
import mlflow
import numpy as np
from flytekit import Resources, current_context, task, workflow
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.tracking import MlflowClient
from sklearn.linear_model import LogisticRegression

# The name is the registry's, which all projects share: begin it with your project's.
MODEL = "fraud-detection.card-fraud"

# An alias is moved from version to version; who loads a model by it needs no new release.
IN_USE = "champion"

POD = Resources(cpu="1", mem="1Gi")


class Registered(NamedTuple):
    """A version in the registry.

    Attributes:
        version: Its number.
        accuracy: The share of unseen transactions that it judges rightly, 0 to 1.
    """

    version: str
    accuracy: float


# No retries and no cache: each run of it makes a version.
@task(timeout=timedelta(minutes=10), limits=POD)
def register(seed: int) -> Registered:
    """Train a model, log how, and register it as a new version."""
    x, y = _transactions(seed)
    seen = len(x) * 3 // 4
    model = LogisticRegression(C=0.5).fit(x[:seen], y[:seen])
    accuracy = float(model.score(x[seen:], y[seen:]))
    path = Path(current_context().working_directory) / "model.joblib"
    joblib.dump(model, path)

    mlflow.set_experiment(MODEL)
    with mlflow.start_run(tags={"flyte.execution": os.environ.get("FLYTE_INTERNAL_EXECUTION_ID", "none")}) as run:
        mlflow.log_params({"seed": seed, "C": 0.5})
        mlflow.log_metric("accuracy", accuracy)
        mlflow.log_artifact(str(path), "model")
    client = MlflowClient()
    try:
        client.create_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    version = client.create_model_version(MODEL, source=f"runs:/{run.info.run_id}/model", run_id=run.info.run_id)
    return Registered(version=str(version.version), accuracy=accuracy)


@task(retries=2, timeout=timedelta(minutes=10), limits=POD)
def promote(version: str, accuracy: float, least_accuracy: float) -> str:
    """Put a version into use if it is good enough, and say which one is."""
    client = MlflowClient()
    if accuracy >= least_accuracy:
        client.set_registered_model_alias(MODEL, IN_USE, version)
    return str(client.get_model_version_by_alias(MODEL, IN_USE).version)


@task(retries=2, timeout=timedelta(minutes=10), limits=POD)
def score(in_use: str, seed: int) -> float:
    """Load the version in use, by its alias, and say for how many transactions it suspects a fraud."""
    folder = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{MODEL}@{IN_USE}")
    model = joblib.load(Path(folder) / "model.joblib")
    print(f"scoring with version {in_use}")
    return float(model.predict(_transactions(seed)[0]).sum())


def _transactions(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(400, 3))
    return x, (x @ [2.0, 1.0, -1.0] + random.normal(scale=0.5, size=400) > 0).astype(int)


@workflow
def register_and_score(seed: int = 0, least_accuracy: float = 0.8) -> float:
    """Train and register a model, put it into use if it is good enough, and score with the one that is.

    Args:
        seed: Of the chance that makes up the transactions.
        least_accuracy: What a model needs to be put into use.

    Returns:
        For how many of 400 transactions the model in use suspects a fraud.
    """
    registered = register(seed=seed)
    in_use = promote(version=registered.version, accuracy=registered.accuracy, least_accuracy=least_accuracy)
    return score(in_use=in_use, seed=seed)
