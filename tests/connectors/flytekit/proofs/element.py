"""A job of a list, quick to start: it finds its element, fails once if that is the twentieth, and squares it.

It needs nothing but Python, without site-packages.
"""

import http.client
import json
import os
import sys
import urllib.parse


def s3(method: str, key: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Ask the embedded S3, which looks at whose the key is and at no signature, for an object of the run's folder."""
    place = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/20261122/us-east-1/s3/aws4_request"
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    folder = os.environ["FLYTE_AWS_BATCH_PREFIX"].removeprefix("s3://")
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, Signature=0"}
    connection.request(method, f"/{folder}/{key}", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def message(field: int, body: bytes) -> bytes:
    """A field of protobuf with a length of one byte."""
    return bytes([field << 3 | 2, len(body)]) + body


def integer(number: int) -> bytes:
    """A literal of Flyte: ``scalar.primitive.integer``."""
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return message(1, message(1, b"\x08" + bytes([*digits, number])))


def main() -> int:
    """Run the element, and return the exit code."""
    wave = json.loads(s3("GET", f"aws-batch/wave-{os.environ['FLYTE_AWS_BATCH_WAVE']}.json")[1])
    index = wave["indices"][int(os.environ["AWS_BATCH_JOB_ARRAY_INDEX"])]
    if index % 20 == 7 and s3("GET", f"seen/{index}")[0] == 404:
        s3("PUT", f"seen/{index}", b"once")
        return 3
    outputs = message(1, message(1, b"o0") + message(2, integer(index * index)))
    status, _ = s3("PUT", f"{index}/outputs.pb", outputs)
    return 0 if status == 200 else 4


if __name__ == "__main__":
    sys.exit(main())
