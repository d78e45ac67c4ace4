"""The header with which MLflow's client signs on: the token of the pod's service account, for MLflow alone."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

TOKEN_FILE: Final = "/var/run/secrets/aerodrome/mlflow/token"  # noqa: S105 - a path
"""Where the pods of tasks have the token. Kubernetes replaces it when four fifths of its hour are over."""

TOKEN_FILE_VARIABLE: Final = "AERODROME_MLFLOW_TOKEN_FILE"  # noqa: S105 - a variable's name
"""The environment variable that names another file."""

HOSTS: Final = ("mlflow.mlflow", "mlflow.mlflow.svc", "mlflow.mlflow.svc.cluster.local")
"""The names of the platform's MLflow in its cluster."""

HOSTS_VARIABLE: Final = "AERODROME_MLFLOW_HOSTS"
"""The environment variable that names other hosts, with commas between them."""

_OTHER_SIGN_ON: Final = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_AWS_SIGV4")


class ServiceAccountToken:
    """A request header provider of MLflow, which asks it at every request.

    It is no subclass of MLflow's ``RequestHeaderProvider``, which is abstract and does nothing: MLflow calls the two
    methods, whatever the class.
    """

    def in_context(self) -> bool:
        """Whether there is a token, MLflow is the platform's, and its client does not sign on in a way of its own.

        A tracking server elsewhere gets no token: with it, it could write here in the task's name.
        """
        if any(os.environ.get(name) for name in _OTHER_SIGN_ON):
            return False
        return bool(_token()) and urlsplit(_tracking_uri()).hostname in _hosts()

    def request_headers(self) -> dict[str, str]:
        """The header. The file is read anew each time: it changes under a task that runs for hours."""
        return {"Authorization": f"Bearer {_token()}"}


def _token() -> str:
    try:
        return Path(os.environ.get(TOKEN_FILE_VARIABLE) or TOKEN_FILE).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _hosts() -> tuple[str, ...]:
    named = os.environ.get(HOSTS_VARIABLE, "").split(",")
    return tuple(host.strip().lower() for host in named if host.strip()) or HOSTS


def _tracking_uri() -> str:
    from mlflow.tracking import get_tracking_uri  # noqa: PLC0415 - MLflow loads this module while it loads that one

    return str(get_tracking_uri())
