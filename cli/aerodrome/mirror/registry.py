"""A container registry, as far as copying needs it: the OCI Distribution Specification over HTTP.

(https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md)
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from aerodrome.mirror.authorization import answer
from aerodrome.mirror.download import LOOPBACK, RETRIES, TIMEOUT, pool, unreachable
from aerodrome.mirror.manifests import KNOWN_TYPES, Blob, Manifest, MirrorError

_CHUNK = 1024 * 1024
_MOVED: Final = {301, 302, 303, 307, 308}
_HOPS: Final = 8
_API_HOSTS: Final = {"docker.io": "registry-1.docker.io"}


class Registry:
    """One registry.

    Args:
        host: Its name, as images have it: ``quay.io``.
        url: Where it answers. None: over HTTPS under its name, on loopback over HTTP.
        credentials: Name and password, where it wants some. None: those of nobody.
    """

    def __init__(self, host: str, *, url: str | None = None, credentials: tuple[str, str] | None = None) -> None:
        self.host = host
        self._url = url or _url_of(host)
        # Under another address than its name, it is told which registry is meant.
        self._headers = {"Host": host} if url else {}
        self._credentials = credentials
        self._authorizations: dict[tuple[str, str], str] = {}

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """What a repository has under a tag or a digest. None: nothing.

        Raises:
            MirrorError: The registry does not answer, refuses, or has it in a form that cannot be copied.
        """
        response = self._read(
            "GET", repository, f"manifests/{reference}", accept=", ".join(KNOWN_TYPES), missing_is_fine=True
        )
        if response.status == HTTPStatus.NOT_FOUND:
            return None
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if media_type not in KNOWN_TYPES:
            raise MirrorError(
                f"{self.host}/{repository}, {reference}: is of the kind {media_type or 'that says nothing'}, and only "
                "those with a digest are copied: ask for a newer version of the image"
            )
        found = Manifest(media_type=media_type, body=response.data)
        if reference.startswith("sha256:") and found.digest != reference:
            raise MirrorError(
                f"{self.host}/{repository}: asked for {reference}, it gives {found.digest}: what came is not what was "
                "published; nothing of it was copied"
            )
        return found

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether a repository has a blob."""
        response = self._read("HEAD", repository, f"blobs/{digest}", missing_is_fine=True)
        return response.status == HTTPStatus.OK

    @contextlib.contextmanager
    def blob(self, repository: str, blob: Blob) -> Iterator[Iterable[bytes]]:
        """A blob in pieces. Whether they are what was asked for is known after the last."""
        response = self._read("GET", repository, f"blobs/{blob.digest}", stream=True)
        try:
            yield self._checked(repository, blob, response.stream(_CHUNK, decode_content=False))
        finally:
            response.close()

    def put_blob(self, repository: str, blob: Blob, pieces: Iterable[bytes]) -> None:
        """Give a repository a blob. One whose pieces turn out to be wrong is not kept."""
        start = self._write("POST", repository, f"{self._url}/v2/{repository}/blobs/uploads/")
        place = self._location(start)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        place = self._location(self._write("PATCH", repository, place, headers=headers, body=pieces))
        joint = "&" if urlsplit(place).query else "?"
        self._write("PUT", repository, f"{place}{joint}digest={blob.digest}", headers={"Content-Length": "0"})

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> None:
        """Give a repository a manifest, under a tag or its digest."""
        url = f"{self._url}/v2/{repository}/manifests/{reference}"
        self._write("PUT", repository, url, headers={"Content-Type": manifest.media_type}, body=manifest.body)

    def _checked(self, repository: str, blob: Blob, pieces: Iterable[bytes]) -> Iterator[bytes]:
        read, size = hashlib.sha256(), 0
        for piece in pieces:
            read.update(piece)
            size += len(piece)
            yield piece
        if (found := f"sha256:{read.hexdigest()}") != blob.digest or size != blob.size:
            raise MirrorError(
                f"{self.host}/{repository}: asked for {blob.digest} of {blob.size:,} bytes, it gives {found} of "
                f"{size:,}: what came is not what was published; it was not copied"
            )

    def _read(
        self,
        method: str,
        repository: str,
        path: str,
        *,
        accept: str = "*/*",
        stream: bool = False,
        missing_is_fine: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self._url}/v2/{repository}/{path}"
        for _ in range(_HOPS):
            response = self._send(method, url, f"repository:{repository}:pull", {"Accept": accept}, stream=stream)
            if response.status not in _MOVED:
                break
            url = self._location(response, url)
        if not (missing_is_fine and response.status == HTTPStatus.NOT_FOUND):
            self._refuse_failure(response, f"{self.host}/{repository}, {path}")
        return response

    def _write(
        self,
        method: str,
        repository: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] | bytes | None = None,
    ) -> urllib3.BaseHTTPResponse:
        response = self._send(method, url, f"repository:{repository}:pull,push", dict(headers or {}), body=body)
        if response.status == HTTPStatus.NOT_FOUND:
            raise MirrorError(f"{self.host} has no repository {repository}: deploy the stack Images first")
        self._refuse_failure(response, f"{self.host}/{repository}")
        return response

    def _send(
        self,
        method: str,
        url: str,
        scope: str,
        headers: dict[str, str],
        *,
        body: Iterable[bytes] | bytes | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        server = urlsplit(url).netloc
        at_home = url.startswith(self._url)
        sent = {**(self._headers if at_home else {}), **headers}
        known = self._authorizations.get((server, scope))
        if known:
            sent["Authorization"] = known
        response = self._request(method, url, sent, body=body, stream=stream)
        challenge = response.headers.get("WWW-Authenticate")
        # Pieces that were sent are gone. Before they were, another request of the same upload was let through.
        can_be_sent_again = body is None or isinstance(body, bytes)
        if response.status != HTTPStatus.UNAUTHORIZED or challenge is None or not can_be_sent_again:
            return response
        credentials = self._credentials if at_home else None
        given = answer(self.host, challenge, scope, credentials, lambda realm, more: self._request("GET", realm, more))
        self._authorizations[server, scope] = given
        return self._request(method, url, {**sent, "Authorization": given}, body=body, stream=stream)

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        body: Iterable[bytes] | bytes | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        try:
            return pool(url).request(
                method,
                url,
                headers=headers,
                body=body,
                redirect=False,
                preload_content=not stream,
                retries=RETRIES.new(redirect=False),
                timeout=TIMEOUT,
            )
        except HTTPError as error:
            raise unreachable(url, error) from None

    def _location(self, response: urllib3.BaseHTTPResponse, base: str | None = None) -> str:
        place = response.headers.get("Location")
        if not place:
            raise MirrorError(f"{self.host} does not say where to go on (status {response.status}, without Location)")
        return urljoin(base or f"{self._url}/", place)

    def _refuse_failure(self, response: urllib3.BaseHTTPResponse, what: str) -> None:
        status = response.status
        if status < HTTPStatus.BAD_REQUEST:
            return
        said = _said(response)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise MirrorError(
                f"{self.host} takes no more requests from here for now{said}: run the command again later; what is "
                "copied is not copied twice"
            )
        if status == HTTPStatus.NOT_FOUND:
            raise MirrorError(f"{what}: there is no such thing{said}; see that charts/images.yaml has its name right")
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise MirrorError(
                f"{what}: access is refused{said}; see that your AWS role may push, or the image is public"
            )
        raise MirrorError(f"{what}: status {status}{said}; run the command again")


def _url_of(host: str) -> str:
    scheme = "http" if urlsplit(f"//{host}").hostname in LOOPBACK else "https"
    return f"{scheme}://{_API_HOSTS.get(host, host)}"


def _said(response: urllib3.BaseHTTPResponse) -> str:
    try:
        first = json.loads(response.data)["errors"][0]
        return f" ({first.get('message') or first['code']})"
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
