"""A container registry on loopback: what it holds, and what is asked of it."""

import base64
import hashlib
import json
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Held:
    """What the registry holds, and how it behaves.

    Attributes:
        blobs: By repository and digest.
        manifests: By repository and tag or digest: the kind, and what is said.
        files: Other things that it serves, by path.
        elsewhere: Where a request is sent on to, by the beginning of its path.
        password: What it wants, ``name:password``; None: a token that everybody gets.
        repositories: Where something may be put; None: everywhere.
        writes: Every request that changed something.
        reads: Every other.
    """

    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    password: str | None = None
    repositories: set[str] | None = None
    writes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    address: str = ""

    def add_blob(self, repository: str, content: bytes) -> dict[str, Any]:
        self.blobs[repository, digest(content)] = content
        return {"mediaType": "application/octet-stream", "digest": digest(content), "size": len(content)}

    def add_manifest(self, repository: str, document: Mapping[str, Any], tag: str | None = None) -> str:
        # Written as nobody here would write it: a copy that is written anew is no copy.
        body = json.dumps(document, indent=3).encode()
        for name in (digest(body), *([tag] if tag else [])):
            self.manifests[repository, name] = (document["mediaType"], body)
        return digest(body)

    def add_image(self, repository: str, tag: str, platforms: tuple[str, ...] = ("amd64", "arm64")) -> str:
        """An image for some platforms. They share a layer. What it is known by."""
        children = []
        for platform in platforms:
            manifest = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self.add_blob(repository, json.dumps({"architecture": platform}).encode()),
                "layers": [
                    self.add_blob(repository, b"base of all" * 1000),
                    self.add_blob(repository, f"{repository} {tag} {platform}".encode()),
                ],
            }
            child = self.add_manifest(repository, manifest)
            size = len(self.manifests[repository, child][1])
            children.append(
                {"mediaType": MANIFEST, "digest": child, "size": size, "platform": {"architecture": platform}}
            )
        return self.add_manifest(repository, {"schemaVersion": 2, "mediaType": INDEX, "manifests": children}, tag)


@contextmanager
def registry_server(held: Held) -> Iterator[Held]:
    """Serve it on 127.0.0.1."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"held": held}))
    held.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - those of the standard library
        """Tell of errors, but not of a client that hangs up, which is its right."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    held: Held
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.held.reads.append(f"{self.command} {parts.path}")
        if parts.path == "/token":
            self._answer(200, json.dumps({"token": f"for {parse_qs(parts.query)['scope'][0]}"}).encode())
        elif away := [path for path in self.held.elsewhere if parts.path.startswith(path)]:
            place = self.held.elsewhere[away[0]] + parts.path.removeprefix(away[0])
            self._answer(307, b"", {"Location": place})
        elif parts.path in self.held.files:
            self._answer(200, self.held.files[parts.path])
        elif not parts.path.startswith("/v2/"):
            self._fail(404, "no such file")
        elif not self._may("pull"):
            return
        elif parts.path == "/v2/":
            self._answer(200, b"{}")
        else:
            self._read(parts.path)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self._write()

    def do_PATCH(self) -> None:
        self._write()

    def do_PUT(self) -> None:
        self._write()

    def _read(self, path: str) -> None:
        repository, kind, name = _parsed(path)
        if kind == "manifests":
            media_type, body = self.held.manifests.get((repository, name), ("", b""))
            self._found(body, media_type) if body else self._fail(404, "manifest unknown")
        elif (repository, name) in self.held.blobs:
            if self.command == "GET" and not path.startswith("/v2/elsewhere"):
                # As registries do whose blobs are in S3.
                self.held.files[f"/files/{name}"] = self.held.blobs[repository, name]
                self._answer(307, b"", {"Location": f"http://{self.held.address}/files/{name}"})
            else:
                self._found(self.held.blobs[repository, name], "application/octet-stream")
        else:
            self._fail(404, "blob unknown")

    def _write(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = urlsplit(self.path)
        if not self._may("pull,push"):
            return
        repository, kind, name = _parsed(parts.path)
        if self.held.repositories is not None and repository not in self.held.repositories:
            self._fail(404, "name unknown")
            return
        self.held.writes.append(f"{self.command} {parts.path}")
        if kind == "manifests":
            wanted = json.loads(body)
            missing = [one["digest"] for one in wanted.get("manifests", []) if not self._has_manifest(repository, one)]
            parts_of = [wanted["config"], *wanted["layers"]] if "config" in wanted else []
            missing += [one["digest"] for one in parts_of if (repository, one["digest"]) not in self.held.blobs]
            if missing:
                self._fail(400, f"unknown parts: {missing}")
                return
            for reference in (name, digest(body)):
                self.held.manifests[repository, reference] = (self.headers["Content-Type"], body)
            self._answer(201, b"")
        elif self.command == "POST":
            upload = str(uuid.uuid4())
            self.held.uploads[upload] = b""
            self._answer(202, b"", {"Location": f"/v2/{repository}/blobs/uploads/{upload}?state=1"})
        else:
            self._continue_upload(repository, name, body, parse_qs(parts.query).get("digest", [""])[0])

    def _continue_upload(self, repository: str, upload: str, body: bytes, expected: str) -> None:
        self.held.uploads[upload] += body
        if self.command == "PATCH":
            self._answer(202, b"", {"Location": f"/v2/{repository}/blobs/uploads/{upload}?state=2"})
        elif digest(self.held.uploads[upload]) != expected:
            self._fail(400, "digest invalid")
        else:
            self.held.blobs[repository, expected] = self.held.uploads.pop(upload)
            self._answer(201, b"")

    def _has_manifest(self, repository: str, descriptor: Mapping[str, str]) -> bool:
        return (repository, descriptor["digest"]) in self.held.manifests

    def _may(self, actions: str) -> bool:
        """Whether the request has what it needs; if not, it is told what that is."""
        repository = _parsed(urlsplit(self.path).path)[0]
        given = self.headers.get("Authorization")
        if self.held.password is not None:
            wanted = f"Basic {base64.b64encode(self.held.password.encode()).decode()}"
            challenge = 'Basic realm="registry"'
        else:
            wanted = f"Bearer for repository:{repository}:{actions}"
            scope = f"repository:{repository}:{actions}"
            service = self.held.address
            challenge = f'Bearer realm="http://{service}/token",service="{service}",scope="{scope}"'
        if given != wanted:
            self._answer(401, b"{}", {"WWW-Authenticate": challenge})
        return given == wanted

    def _found(self, content: bytes, media_type: str) -> None:
        self._answer(200, content, {"Content-Type": media_type, "Docker-Content-Digest": digest(content)})

    def _fail(self, status: int, message: str) -> None:
        self._answer(status, json.dumps({"errors": [{"code": "X", "message": message}]}).encode())

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _parsed(path: str) -> tuple[str, str, str]:
    """The repository, ``manifests`` or ``blobs``, and the last part of a path."""
    if path == "/v2/":
        return "", "", ""
    repository, kind, name = path.removeprefix("/v2/").rstrip("/").rsplit("/", 2)
    if kind == "uploads" or name == "uploads":
        repository = repository.removesuffix("/blobs")
        return repository, "blobs", name
    return repository, kind, name
