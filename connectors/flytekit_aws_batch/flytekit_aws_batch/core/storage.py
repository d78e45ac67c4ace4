"""Objects in S3, and the one thing that S3 has and SubmitJob has not: a write that succeeds for one writer only."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.call_errors import TooLargeError

MOST_BYTES: Final = 10 * 1024**2
"""Of an object that is read: jobs write what they like, and one connector reads it for all projects. propeller takes as
much of a task's outputs, and of its error (``storage.limits.maxDownloadMBs`` in the values of flyte-core;
flytestdlib/storage/stow_store.go, ``ReadRaw``)."""

MOST_BYTES_OF_A_LIST: Final = 10 * MOST_BYTES
"""Of a list that is gathered, and of one that lies in S3 by itself as it is large: 10 KiB for each of 10,000 elements.
propeller puts away up to 1,000 MiB (``literal-offloading-config.max-size-in-mb-for-offloading``); what is read and
taken apart here takes several times as much memory."""

_SCHEME = "s3://"
# What S3 says to a conditional write whose condition does not hold: another one was first. `Aws` tries 409 again, as
# nothing was written then; what is left of it after all its patience is an answer like the other.
_LOST_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object as it was when it was read.

    Attributes:
        body: Its content.
        etag: What tells this content from any other.
        age_seconds: For how long it had been so, by S3's own clock.
    """

    body: bytes
    etag: str
    age_seconds: float


class Storage:
    """Reads and writes objects by their ``s3://`` URLs.

    All methods raise :class:`~flytekit_aws_batch.core.aws.CallError` when S3 refuses, or does not answer in time.

    Args:
        aws: The way to AWS.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def read(
        self, url: str, *, patience_seconds: float | None = None, most_bytes: int = MOST_BYTES
    ) -> bytes | None:
        """The content, tried for so long; by default as long as the settings say. None: there is no such object.

        Raises:
            TooLargeError: It has more bytes than so many.
        """
        stored = await self.state(url, patience_seconds=patience_seconds, most_bytes=most_bytes)
        return None if stored is None else stored.body

    async def state(
        self, url: str, *, patience_seconds: float | None = None, most_bytes: int = MOST_BYTES
    ) -> Stored | None:
        """The same, and for how long it has been so."""
        bucket, key = split(url)
        try:
            answer = await self._aws.call(
                "s3", "get_object", patience_seconds=patience_seconds, most_bytes=most_bytes, Bucket=bucket, Key=key
            )
        except CallError as error:
            if error.code == "NoSuchKey":
                return None
            raise
        return Stored(body=answer["Body"], etag=answer["ETag"], age_seconds=_age(answer))

    async def exists(self, url: str) -> bool:
        """Whether there is such an object."""
        bucket, key = split(url)
        try:
            await self._aws.call("s3", "head_object", Bucket=bucket, Key=key)
        except CallError as error:
            if error.kind == "not_found":
                return False
            raise
        return True

    async def write(self, url: str, body: bytes, *, patience_seconds: float | None = None) -> None:
        """Write an object, whatever was there; tried for so long, by default as long as the settings say."""
        bucket, key = split(url)
        await self._aws.call("s3", "put_object", patience_seconds=patience_seconds, Bucket=bucket, Key=key, Body=body)

    async def claim(self, url: str, body: bytes) -> str | None:
        """Create an object that is not there yet. One of many who try succeeds.

        Args:
            url: Where.
            body: Its content, which no other writer may have: a write whose answer was lost is recognized by it.

        Returns:
            Its ETag. None: it is there already, by somebody else.
        """
        return await self._conditional(url, body, {"IfNoneMatch": "*"})

    async def replace(self, url: str, body: bytes, etag: str) -> str | None:
        """Write an object that is still as it was read. One of many who try succeeds.

        Args:
            url: Where.
            body: Its content, which no other writer may have.
            etag: What it was like.

        Returns:
            The new ETag. None: somebody else has changed it meanwhile.
        """
        return await self._conditional(url, body, {"IfMatch": etag})

    async def _conditional(self, url: str, body: bytes, condition: dict[str, Any]) -> str | None:
        bucket, key = split(url)
        try:
            answer = await self._aws.call("s3", "put_object", Bucket=bucket, Key=key, Body=body, **condition)
        except CallError as error:
            if error.code not in _LOST_RACE and error.kind != "not_found":
                raise
        else:
            return str(answer["ETag"])
        # The first try may have been carried out, though its answer said otherwise, or none came.
        try:
            stored = await self.state(url)
        except TooLargeError:
            # Nothing that is written here is.
            return None
        return stored.etag if stored is not None and stored.body == body else None

    async def copy(self, source: str, target: str) -> None:
        """Copy an object of up to 5 GB."""
        source_bucket, source_key = split(source)
        bucket, key = split(target)
        origin = {"Bucket": source_bucket, "Key": source_key}
        await self._aws.call("s3", "copy_object", Bucket=bucket, Key=key, CopySource=origin)

    async def list(self, url: str) -> AsyncIterator[str]:
        """The URLs of all objects that begin with a URL, in the order of their bytes."""
        async for page in self._pages(url):
            for each in page.get("Contents", ()):
                yield f"{_SCHEME}{split(url)[0]}/{each['Key']}"

    async def folders(self, url: str) -> AsyncIterator[str]:
        """The folders right below a folder whose URL ends in a slash; theirs end so, too."""
        async for page in self._pages(url, delimiter="/"):
            for each in page.get("CommonPrefixes", ()):
                yield f"{_SCHEME}{split(url)[0]}/{each['Prefix']}"

    async def _pages(self, url: str, delimiter: str | None = None) -> AsyncIterator[dict[str, Any]]:
        bucket, prefix = split(url)
        options: dict[str, Any] = {} if delimiter is None else {"Delimiter": delimiter}
        while True:
            page = await self._aws.call("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix, **options)
            yield page
            if not page.get("IsTruncated"):
                return
            options["ContinuationToken"] = page["NextContinuationToken"]


def split(url: str) -> tuple[str, str]:
    """An object's bucket and key.

    Raises:
        ValueError: It is no URL of S3.
    """
    bucket, slash, key = url.removeprefix(_SCHEME).partition("/")
    if not url.startswith(_SCHEME) or not bucket or not slash:
        raise ValueError(f"{url!r} is no address in S3; give s3://BUCKET/KEY")
    return bucket, key


def _age(answer: dict[str, Any]) -> float:
    """Both times are S3's, so that no two clocks have to agree."""
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return float((now - answer["LastModified"]).total_seconds())
