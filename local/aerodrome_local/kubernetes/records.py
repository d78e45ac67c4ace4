"""The records of what is on each cluster, kept between runs."""

import threading
from collections.abc import Callable
from typing import Any

from aerodrome_local.runtime import Runtime, current_account, current_region

Record = dict[str, Any]

RELEASES = "releases"
MANIFESTS = "manifests"
PATCHES = "patches"

_FILE = "kubernetes.json"


class Records:
    """Records of each kind by key, with the account, region and cluster that they belong to."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        empty: dict[str, dict[str, Record]] = {RELEASES: {}, MANIFESTS: {}, PATCHES: {}}
        self._kinds: dict[str, dict[str, Record]] = {**empty, **runtime.read_json(_FILE, {})}

    def change(self, kind: str, cluster: str, key: str, function: Callable[[Record | None], Record | None]) -> None:
        """Replace a record by what the function makes of it, None for none, and save."""
        account, region = current_account(), current_region()
        full_key = f"{account}/{region}/{cluster}/{key}"
        with self._lock:
            record = function(self._kinds[kind].get(full_key))
            if record is None:
                self._kinds[kind].pop(full_key, None)
            else:
                self._kinds[kind][full_key] = {"account": account, "region": region, "cluster": cluster, **record}
            self._save()

    def forget_cluster(self, cluster: str) -> None:
        """Drop everything of a cluster of the current account and region."""
        prefix = f"{current_account()}/{current_region()}/{cluster}/"
        with self._lock:
            for kind, records in self._kinds.items():
                self._kinds[kind] = {key: record for key, record in records.items() if not key.startswith(prefix)}
            self._save()

    def of_kind(self, kind: str) -> list[Record]:
        """All records of a kind, sorted by their key."""
        with self._lock:
            return [record for _, record in sorted(self._kinds[kind].items())]

    def of_cluster(self, kind: str, cluster: str) -> list[Record]:
        """The records of a kind on a cluster of the current account and region."""
        whose = (current_account(), current_region(), cluster)
        return [item for item in self.of_kind(kind) if (item["account"], item["region"], item["cluster"]) == whose]

    def _save(self) -> None:
        self._runtime.write_json(_FILE, self._kinds)
