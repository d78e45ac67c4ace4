"""Pages of the AWS console that show a job."""

from typing import Final
from urllib.parse import quote

from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.logs import stream_of
from flytekit_aws_batch.core.progress import Link

# Where a partition has a console on the internet.
_CONSOLES: Final = {
    "aws": "https://{region}.console.aws.amazon.com",
    "aws-us-gov": "https://{region}.console.amazonaws-us-gov.com",
    "aws-cn": "https://{region}.console.amazonaws.cn",
    "aws-eusc": "https://{region}.console.amazonaws-eusc.eu",
}


class Console:
    """The AWS console of a region.

    Args:
        partition: The region's partition.
        region: The region.
        address: The console's address, where it is another one. Default: by the partition.
    """

    def __init__(self, partition: str, region: str, address: str | None = None) -> None:
        self._region = region
        self._address = (address or _CONSOLES.get(partition, "").format(region=region)).rstrip("/")

    def links(self, job: JobState) -> tuple[Link, ...]:
        """The pages of a job's logs, once it has any, and of the job. None in a partition whose console is unknown."""
        if not self._address:
            return ()
        found = stream_of(job)
        logs = (Link(name="CloudWatch Logs", url=self.log_stream(*found)),) if found else ()
        return (*logs, Link(name="AWS Batch", url=self.job(job)))

    def log_stream(self, group: str, stream: str) -> str:
        """The page of a log stream."""
        path = f"log-group/{_twice(group)}/log-events/{_twice(stream)}"
        return f"{self._address}/cloudwatch/home?region={self._region}#logsV2:log-groups/{path}"

    def job(self, job: JobState) -> str:
        """The page of a job."""
        page = "array-job" if job.size else "mnp-job" if job.nodes > 1 else "detail"
        return f"{self._address}/batch/home?region={self._region}#jobs/{page}/{quote(job.id, safe=':')}"


def _twice(name: str) -> str:
    """As CloudWatch's pages want names in a fragment: encoded twice, with dollars for percent signs."""
    return quote(quote(name, safe=""), safe="").replace("%", "$")
