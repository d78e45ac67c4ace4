"""How a registry wants to be asked: its challenge, and what is answered to it.

Public registries hand a token to everybody (distribution.github.io/distribution/spec/auth/token); ECR wants a password.
"""

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from urllib3 import BaseHTTPResponse

from aerodrome.mirror.download import LOOPBACK
from aerodrome.mirror.manifests import MirrorError

Send = Callable[[str, dict[str, str]], BaseHTTPResponse]
"""Sends a GET, with headers."""

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


def answer(host: str, challenge: str, scope: str, credentials: tuple[str, str] | None, send: Send) -> str:
    """The header with which a request is sent again.

    Args:
        host: The registry, for messages.
        challenge: What it said in ``WWW-Authenticate``.
        scope: What is wanted, such as ``repository:library/busybox:pull``.
        credentials: Name and password. None: those of nobody.
        send: Asks whoever gives out tokens.

    Raises:
        MirrorError: It wants what we do not have.
    """
    kind, _, rest = challenge.partition(" ")
    basic = f"Basic {base64.b64encode(':'.join(credentials).encode()).decode()}" if credentials else None
    if kind.lower() == "basic" and basic:
        return basic
    parameters = dict(_PARAMETER.findall(rest))
    realm = parameters.get("realm", "")
    if kind.lower() != "bearer" or not _is_safe(realm):
        raise MirrorError(f"{host} wants a password, and {'refuses ours' if basic else 'there is none for it'}")
    # What it asks for itself comes first: it may have led to a repository of another name.
    query = {"scope": scope} | {name: parameters[name] for name in ("service", "scope") if name in parameters}
    response = send(f"{realm}?{urlencode(query)}", {"Authorization": basic} if basic else {})
    given = json.loads(response.data) if response.status == 200 else {}  # noqa: PLR2004 - HTTP's own number
    token = given.get("token") or given.get("access_token")
    if not token:
        raise MirrorError(
            f"{host} gives nobody a token for {scope} (status {response.status} of {urlsplit(realm).hostname}): "
            "is it public?"
        )
    return f"Bearer {token}"


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
