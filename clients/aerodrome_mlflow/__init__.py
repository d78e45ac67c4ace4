"""Signs MLflow's client on with the service account of the pod that it runs in. MLflow finds it by its entry point."""

from aerodrome_mlflow.service_account import ServiceAccountToken

__all__ = ["ServiceAccountToken"]
