"""An AWS Batch job: takes a CSV file as it arrived in S3, and leaves what the step makes of it in S3, once.

    python ingest_object.py --step profile --lines none --output s3://bucket/prefix -- BUCKET KEY VERSION

The steps are ``profile`` (what is in each column), ``convert`` (the rows as JSON lines, with the types that the profile
found) and ``publish`` (one document that names both, once their rows agree); the last two build on the ones before.

Exactly one version of the object is read, and the output's key is made of the step, the object's key and that version
alone. It is written on condition that nothing is there: however often an event or an attempt comes, one output stays.
Where ``--lines`` is the range of bytes of a part of a manifest, the object is the one that a line of it names: the line
whose number, from 0, is the job's index in its array.

Exit status: 0 done, or done before; 65 the object is not what the step takes; 66 there is no such version of it.
"""

import argparse
import csv
import hashlib
import io
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlsplit

# Not boto3: a job that runs for a moment mostly starts, and botocore alone starts in half the time.
import botocore.session
from botocore.exceptions import ClientError

REJECTED, MISSING = 65, 66  # EX_DATAERR and EX_NOINPUT of sysexits.h
LONGEST_KEY = 1024
WHOLE = "none"
GONE = {"AccessDenied", "InvalidArgument", "MethodNotAllowed", "NoSuchKey", "NoSuchVersion"}
FOLDERS = {"profile": ("profiles", "json"), "convert": ("records", "jsonl"), "publish": ("published", "json")}


class RejectedError(Exception):
    """The object is not what the step takes. Trying again does not help."""


class MissingError(Exception):
    """There is no such object, or no such version of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lies; without a version, the newest of it."""

    bucket: str
    key: str
    version: str | None


class Column:
    """What is in a column, row by row: a number as long as everything in it is one."""

    def __init__(self) -> None:
        self.nulls = self.values = 0
        self.is_number = True
        self._total = 0.0
        self._numbers = (math.inf, -math.inf)
        self._texts: tuple[str, str] | None = None

    def add(self, text: str) -> None:
        """Take the next value in. A blank one is null."""
        if not text.strip():
            self.nulls += 1
            return
        self.values += 1
        first, last = self._texts or (text, text)
        self._texts = min(first, text), max(last, text)
        number = number_of(text)
        if number is None:
            self.is_number = False
        else:
            self._total += number
            least, greatest = self._numbers
            self._numbers = min(least, number), max(greatest, number)

    def described(self) -> dict[str, object]:
        """The column in words of JSON."""
        if self._texts is None:
            return {"type": "empty", "nulls": self.nulls}
        if self.is_number:
            least, greatest = self._numbers
            mean = self._total / self.values
            return {"type": "number", "nulls": self.nulls, "min": least, "max": greatest, "mean": mean}
        first, last = self._texts
        return {"type": "text", "nulls": self.nulls, "min": first, "max": last}


def number_of(text: str) -> float | None:
    """The number that a text says. None: it says none, or one that JSON does not have."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def rows_of(stream: IO[bytes]) -> Iterator[list[str]]:
    """The rows of a CSV file as they are read, the one that names the columns first."""
    reader = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), strict=True)
    try:
        header = next(reader, [])
        if not all(name.strip() for name in header) or not header or len(set(header)) != len(header):
            raise RejectedError(f"the first line names no columns, or one twice: {header}; name each column there")
        yield header
        for row in reader:
            if row and len(row) != len(header):
                raise RejectedError(f"line {reader.line_num} has {len(row)} fields; the header has {len(header)}")
            if row:
                yield row
    except UnicodeDecodeError as error:
        raise RejectedError(f"the file is not UTF-8 text: {error}") from error
    except csv.Error as error:
        raise RejectedError(f"line {reader.line_num} is not CSV: {error}") from error


def profile(stream: IO[bytes]) -> dict[str, object]:
    """What is in each column of a CSV file."""
    rows = rows_of(stream)
    columns = {name: Column() for name in next(rows)}
    count = 0
    for row in rows:
        count += 1
        for column, text in zip(columns.values(), row, strict=True):
            column.add(text)
    return {"rows": count, "columns": {name: column.described() for name, column in columns.items()}}


def convert(stream: IO[bytes], types: dict[str, dict[str, object]], target: IO[bytes]) -> None:
    """Write the rows as JSON lines: numbers where the whole column has such, null where a value is blank."""
    rows = rows_of(stream)
    header = next(rows)
    for row in rows:
        values = zip(header, row, strict=True)
        record = {name: _typed(text, number=types[name]["type"] == "number") for name, text in values}
        target.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _typed(text: str, *, number: bool) -> float | str | None:
    if not text.strip():
        return None
    return float(text) if number else text


class Job:
    """What is done with one object, and where that is written: below ``output``, an S3 URI."""

    def __init__(self, s3: Any, output: str, source: Place) -> None:  # noqa: ANN401 - botocore makes the class at run time
        self._s3, self._source = s3, source
        place = urlsplit(output)
        self._bucket, self._prefix = place.netloc, place.path.strip("/")

    def run(self, step: str) -> str:
        """Do the step, unless it has been done, and say so."""
        if self._source.key.endswith("/"):  # what the console makes of a folder
            return f"{self._source.key} is a folder: nothing to do"
        with read(self._s3, self._source) as (body, version):
            output = self._output(step, version)
            if self._exists(output):
                return f"{output} is there already: nothing to do"
            with tempfile.TemporaryFile() as result:
                getattr(self, f"_{step}")(body, version, result)
                result.seek(0)
                written = self._write(output, result, version)
        return f"wrote {output}" if written else f"{output} was written meanwhile: left as it is"

    def _profile(self, body: IO[bytes], version: str, result: IO[bytes]) -> None:
        result.write(json.dumps({**self._input(version), **profile(body)}, indent=2).encode())

    def _convert(self, body: IO[bytes], version: str, result: IO[bytes]) -> None:
        convert(body, self._profile_of(version)["columns"], result)

    def _publish(self, _body: IO[bytes], version: str, result: IO[bytes]) -> None:
        rows = self._profile_of(version)["rows"]
        records, digest = self._output("convert", version), hashlib.sha256()
        with read(self._s3, Place(self._bucket, records, None)) as (body, _):
            count = 0
            for line in lines_of(body):
                count += 1
                digest.update(line.encode())
        if count != rows:
            raise RejectedError(f"{records} has {count} records, and the profile {rows} rows: delete both outputs")
        named = {"profile": self._output("profile", version), "records": records, "sha256": digest.hexdigest()}
        result.write(json.dumps({**self._input(version), "rows": rows, **named}, indent=2).encode())

    def _profile_of(self, version: str) -> Any:  # noqa: ANN401 - any JSON value
        with read(self._s3, Place(self._bucket, self._output("profile", version), None)) as (body, _):
            return json.load(body)

    def _input(self, version: str) -> dict[str, object]:
        return {"input": {"bucket": self._source.bucket, "key": self._source.key, "version": version}}

    def _output(self, step: str, version: str) -> str:
        folder, suffix = FOLDERS[step]
        own = self._source.key.removeprefix(f"{self._prefix}/")
        key = f"{self._prefix}/{folder}/{own}/{version}.{suffix}"
        if len(key.encode()) > LONGEST_KEY:
            raise RejectedError(f"the output's key would have {len(key.encode())} bytes, and S3 takes {LONGEST_KEY}")
        return key

    def _exists(self, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            # S3 says 403 of what is not there to those who may not list the whole bucket.
            if error.response["Error"]["Code"] in {"403", "404"}:
                return False
            raise
        return True

    def _write(self, key: str, result: IO[bytes], version: str) -> bool:
        metadata = {"job-id": os.environ.get("AWS_BATCH_JOB_ID", "none"), "input-version": version}
        while True:
            try:
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=result, IfNoneMatch="*", Metadata=metadata)
            except ClientError as error:
                # 409: another one is writing it now; see S3's user guide, "Conditional writes".
                if error.response["Error"]["Code"] == "ConditionalRequestConflict":
                    result.seek(0)
                    continue
                if error.response["Error"]["Code"] == "PreconditionFailed":
                    return False
                raise
            return True


@contextmanager
def read(s3: Any, place: Place, **options: str) -> Iterator[tuple[IO[bytes], str]]:  # noqa: ANN401 - botocore makes the class at run time
    """A version of an object, as a stream, and the version's ID.

    Raises:
        MissingError: There is none, or none for this job's role: S3 says which to those only who may list the bucket.
    """
    wanted = options if place.version is None else {"VersionId": place.version, **options}
    try:
        found = s3.get_object(Bucket=place.bucket, Key=place.key, **wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            raise MissingError(f"{place.key} (version {place.version or 'newest'}): {error}") from error
        raise
    with closing(found["Body"]) as body:
        yield body, found.get("VersionId", "null")


def lines_of(stream: IO[bytes]) -> IO[str]:
    """The lines of a text: botocore's stream of a body itself gives pieces of a kilobyte."""
    return io.TextIOWrapper(stream, encoding="utf-8", newline="\n")


def line_of(s3: Any, manifest: Place, part: str, index: int) -> Place:  # noqa: ANN401 - botocore makes the class at run time
    """The object that a line of a manifest names: ``{"key": ..., "version": ...}``, the version if it matters.

    ``part`` is the first and the last byte of what holds the line, such as ``0-8191``; ``index`` its number there.
    """
    with read(s3, manifest, Range=f"bytes={part}") as (body, _):
        for number, line in enumerate(lines_of(body)):
            if number == index:
                named = json.loads(line)
                return Place(manifest.bucket, named["key"], named.get("version"))
    raise RejectedError(f"bytes {part} of {manifest.key} have no line {index}")


def main() -> None:
    """Do the step, and end with the status that says how that went."""
    parser = argparse.ArgumentParser(description="Make something of a CSV file that arrived in S3, once.")
    parser.add_argument("--step", required=True, choices=FOLDERS, help="what is made of it")
    parser.add_argument("--lines", required=True, help="the bytes of a part of the manifest; none: the object itself")
    parser.add_argument("--output", required=True, help="the S3 URI below which outputs are written")
    # After `--`: S3 chooses versions as it likes, and one that begins with a hyphen would pass for an option.
    parser.add_argument("bucket", help="the bucket of the object")
    parser.add_argument("key", help="the key of the object, or of the manifest that names it")
    parser.add_argument("version", help="the version of it")
    arguments = parser.parse_args()
    s3 = botocore.session.get_session().create_client("s3")
    source = Place(arguments.bucket, arguments.key, arguments.version)
    try:
        if arguments.lines != WHOLE:
            # A part of one line is a plain job, as an array has two children or more.
            source = line_of(s3, source, arguments.lines, int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX", "0")))
        print(Job(s3, arguments.output, source).run(arguments.step))
    except RejectedError as error:
        sys.stderr.write(f"{source.key} is refused: {error}\n")
        sys.exit(REJECTED)
    except MissingError as error:
        sys.stderr.write(f"nothing to read: {error}\n")
        sys.exit(MISSING)


if __name__ == "__main__":
    main()
