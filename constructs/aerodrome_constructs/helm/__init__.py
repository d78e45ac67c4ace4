"""Helm releases on an EKS cluster."""

from aerodrome_constructs.helm.release import HELM_TIMEOUT, HelmRelease, HelmReleaseProps
from aerodrome_constructs.helm.spec import ReleaseSpec, ReleaseSpecError, read_values
from aerodrome_constructs.helm.values import Value, Values, ValuesConflictError, merge_values, values_as_json

__all__ = [
    "HELM_TIMEOUT",
    "HelmRelease",
    "HelmReleaseProps",
    "ReleaseSpec",
    "ReleaseSpecError",
    "Value",
    "Values",
    "ValuesConflictError",
    "merge_values",
    "read_values",
    "values_as_json",
]
