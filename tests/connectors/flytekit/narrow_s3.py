"""S3 as a project's role sees it: whoever may not list a whole bucket is told that what is missing is forbidden."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_REFUSED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


class NarrowS3(ThreadingHTTPServer):
    """S3 on this machine, which keeps its objects in memory, by ``BUCKET/KEY``.

    It lists what is below a prefix, as a project's role may, and answers 403 where an object is missing
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html). A deletion of nothing succeeds. In the
    connector's own folder nothing is written or deleted.
    """

    def __init__(self) -> None:
        """Take a port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        """Answer."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()

    @property
    def variables(self) -> dict[str, str]:
        """By what a process finds it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}",
            "AWS_ACCESS_KEY_ID": "project",
            "AWS_SECRET_ACCESS_KEY": "narrow",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            # Else bodies come in chunks, with a checksum behind them.
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: NarrowS3

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            self._list(self._name.strip("/"), query.get("prefix", [""])[0])
        else:
            self._object()

    def do_HEAD(self) -> None:
        self._object()

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._refused():
            self.server.objects[self._name] = body
            self._answer(200, b"")

    def do_DELETE(self) -> None:
        if not self._refused():
            self.server.objects.pop(self._name, None)
            self._answer(204, b"")

    def _refused(self) -> bool:
        refused = "/aws-batch/" in self._name
        if refused:
            self._answer(403, _REFUSED)
        return refused

    @property
    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/")

    def _object(self) -> None:
        found = self.server.objects.get(self._name)
        self._answer(*((403, _REFUSED) if found is None else (200, found)))

    def _list(self, bucket: str, prefix: str) -> None:
        if not prefix:
            self._answer(403, _REFUSED)
            return
        objects = self.server.objects
        found = {name.removeprefix(f"{bucket}/"): len(objects[name]) for name in sorted(objects)}
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size></Contents>"
            for key, size in found.items()
            if key.startswith(prefix)
        )
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        self._answer(200, text.encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
