"""An AWS that keeps objects and jobs, for a connector whose calls all answer at once."""

from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from tests.connectors.core.fake_aws import QUEUE, World, client_error
from tests.connectors.core.interleaving import Account, Job

_KEPT = ("put_object", "get_object", "head_object", "submit_job", "list_jobs", "terminate_job")


class KeptWorld(World):
    """A world whose S3 and Batch remember.

    Attributes:
        account: What they remember.
        fates: By operation, what becomes of its next calls: an error code, or ``lost`` for one that is carried out and
            whose answer is lost. Calls beyond that are answered.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - any setting
        super().__init__(chance=0.5, **{"check_images": False, "freshest_seconds": 2, **settings})
        self.client.__dict__["meta"] = SimpleNamespace(region_name="eu-west-1", partition="aws")
        self.account = Account(lambda: 0.0)
        self.fates: dict[str, list[str]] = {}
        for operation in _KEPT:
            self.answers[operation] = lambda operation=operation, **request: self._answer(operation, request)
        self.answers["list_objects_v2"] = self._listed
        self.answers["describe_jobs"] = self._described
        self.answers["describe_job_queues"] = lambda **_: self.fail("AccessDenied")
        self.answers["describe_job_definitions"] = lambda **_: {"jobDefinitions": []}
        self.answers["register_job_definition"] = lambda **_: {"jobDefinitionArn": "arn:definition:1"}
        self.answers["get_job_queue_snapshot"] = lambda **_: {}

    def calls(self, operation: str) -> int:
        return len(self.client.of(operation))

    def objects(self) -> list[str]:
        return sorted(key.rpartition("/")[2] for key in self.account.objects)

    def set_status(self, status: str, **more: object) -> Job:
        """Let the last job be so far."""
        job = self.account.jobs[-1]
        job.detail = {"status": status, **more}
        return job

    def fail(self, code: str = "InternalError") -> dict[str, Any]:
        """Answer with an error."""
        raise self._error("any", code)

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self.account.now = self.clock.time
        fate = self.fates[operation].pop(0) if self.fates.get(operation) else ""
        if fate and fate != "lost":
            raise self._error(operation, fate)
        answer = self.account.carry_out(operation, request)
        if fate:
            raise self._error(operation, "InternalError")
        return answer

    @staticmethod
    def _error(operation: str, code: str) -> ClientError:
        status = {"TooManyRequestsException": 429, "InternalError": 500, "AccessDenied": 403}.get(code, 400)
        return client_error(code, status, operation)

    def _listed(self, Prefix: str, **_: str) -> dict[str, Any]:  # noqa: N803 - as boto names it
        return {"Contents": [{"Key": key} for key in sorted(self.account.objects) if key.startswith(Prefix)]}

    def _described(self, jobs: list[str]) -> dict[str, Any]:
        return {
            "jobs": [
                {
                    "jobId": job.id,
                    "jobName": job.name,
                    "jobQueue": QUEUE,
                    "createdAt": int(job.created * 1000),
                    "attempts": [],
                    "container": {},
                    **job.detail,
                }
                for job in self.account.jobs
                if job.id in jobs and job.listed <= self.clock.time
            ]
        }
