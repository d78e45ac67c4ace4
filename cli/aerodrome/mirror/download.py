"""Gets a file over HTTP, and the connections that registries are asked over."""

import logging
import urllib.request
from typing import Final
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from aerodrome.mirror.manifests import MirrorError

LOOPBACK: Final = ("127.0.0.1", "localhost")
"""Where nothing is overheard: registries there are asked without TLS, as by Docker."""

# Blobs of a few GiB take as long as they take: the limit is for each piece that is waited for.
TIMEOUT: Final = urllib3.Timeout(connect=15, read=120)
"""How long a server is waited for."""

RETRIES: Final = urllib3.Retry(
    total=8,
    # Once more, and at once: a name that is not known or a port that is closed stays so.
    connect=1,
    status=4,
    backoff_factor=1,
    status_forcelist=(500, 502, 503, 504),
    allowed_methods={"GET", "HEAD", "POST", "PUT"},
    raise_on_status=False,
)
"""What is asked again when a server has a bad moment: all but the pieces of a blob, which are gone then."""

# It would tell the user of each request that it sends again.
logging.getLogger("urllib3").setLevel(logging.ERROR)

_pools: Final[dict[str, urllib3.PoolManager]] = {}


def pool(url: str) -> urllib3.PoolManager:
    """The connections for a URL: over the proxy that ``HTTPS_PROXY`` names, but for what ``NO_PROXY`` does."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and host not in LOOPBACK and not urllib.request.proxy_bypass(host):
        return _pools.setdefault(proxy, urllib3.ProxyManager(proxy))
    return _pools.setdefault("", urllib3.PoolManager())


def unreachable(url: str, error: HTTPError) -> MirrorError:
    """What is said when a server does not answer."""
    reason = getattr(error, "reason", None) or error
    return MirrorError(
        f"{urlsplit(url).hostname} does not answer: {reason}; see that this machine reaches it, and run the command "
        "again: what is copied is not copied twice"
    )


def download(url: str) -> bytes:
    """What is at a URL.

    Raises:
        MirrorError: It does not answer, or not with that.
    """
    try:
        response = pool(url).request("GET", url, retries=RETRIES, timeout=TIMEOUT)
    except HTTPError as error:
        raise unreachable(url, error) from None
    if response.status != 200:  # noqa: PLR2004 - HTTP's own number
        raise MirrorError(f"{url}: status {response.status}; see that release.yaml names the right repository")
    return response.data
