"""The identity of a pod: a Kubernetes service account."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ServiceAccount:
    """A Kubernetes service account, named as the API server names it.

    Attributes:
        namespace: The namespace that holds the service account.
        name: Its name there.
    """

    namespace: str
    name: str

    @property
    def subject(self) -> str:
        """The ``sub`` claim of the tokens that the cluster issues to it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"
