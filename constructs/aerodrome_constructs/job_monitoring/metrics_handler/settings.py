"""What the functions know of the environment: written into their environment variables when the stack is made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Queue:
    """A job queue that is watched.

    Attributes:
        hardware: What the names of its compute environments begin with in metrics: ``Arm``, ``Gpu`` or nothing.
        usd_per_vcpu_hour: What a vCPU with 4 GiB of memory costs there in an hour, by estimate.
    """

    hardware: str
    usd_per_vcpu_hour: float


@dataclass(frozen=True, slots=True)
class Settings:
    """What is watched.

    Attributes:
        environment: The environment's name.
        queues: The queues by name. What happens in others is somebody else's.
        projects: The projects by share identifier.
        role_prefix: What the names of the projects' roles begin with, before the project and the domain.
        reclaims: The status reasons of attempts whose host was taken back, with an asterisk at the end for anything.
    """

    environment: str
    queues: Mapping[str, Queue]
    projects: Mapping[str, str]
    role_prefix: str
    reclaims: Sequence[str]

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Self:
        """Read environment variables as :meth:`variables` writes them.

        Raises:
            KeyError: One is missing.
        """
        return cls(
            environment=variables["ENVIRONMENT"],
            queues={name: Queue(*parts) for name, parts in json.loads(variables["QUEUES"]).items()},
            projects=json.loads(variables["PROJECTS"]),
            role_prefix=variables["ROLE_PREFIX"],
            reclaims=json.loads(variables["RECLAIMS"]),
        )

    def variables(self) -> dict[str, str]:
        """The settings as environment variables. Lambda takes 4 KiB of them: a queue takes about 60 bytes."""
        queues = {name: [queue.hardware, queue.usd_per_vcpu_hour] for name, queue in self.queues.items()}
        return {
            "ENVIRONMENT": self.environment,
            "QUEUES": json.dumps(queues, separators=(",", ":")),
            "PROJECTS": json.dumps(dict(self.projects), separators=(",", ":")),
            "ROLE_PREFIX": self.role_prefix,
            "RECLAIMS": json.dumps(list(self.reclaims), separators=(",", ":")),
        }
