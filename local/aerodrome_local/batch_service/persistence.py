"""Where definitions and jobs are kept between two lives of the server."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aerodrome_local.batch_service.model import Json

# A deleted record stays as one without a value, until the next start.
_WRITE = """
    INSERT INTO records
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(?) WHERE true
    ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value
"""


class Database:
    """Records by kind and key in SQLite, which keeps every finished change when the process is killed.

    Callers hold the state's lock, so one connection serves all threads.

    Args:
        path: The file. In memory when None.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(str(path or ":memory:"), check_same_thread=False, isolation_level=None)
        # With a write-ahead log and no fsync a change survives the end of the process, though not a power cut.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, value TEXT, PRIMARY KEY (kind, key))"
        )
        self._connection.execute("DELETE FROM records WHERE value IS NULL")
        self._changes: dict[tuple[str, str], str | None] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all that is put and deleted meanwhile at once.

        In one statement: each one lets other threads go first, who then wait for the lock that this one holds.
        """
        try:
            yield
        finally:
            # In memory nothing is undone after an error, so nothing is here.
            changes, self._changes = self._changes, {}
            if changes:
                rows = json.dumps([[*place, value] for place, value in changes.items()])
                self._connection.execute(_WRITE, (rows,))

    def load(self, kind: str) -> dict[str, Json]:
        """All records of a kind, by key, in the order in which they were first put."""
        rows = self._connection.execute(
            "SELECT key, value FROM records WHERE kind = ? AND value IS NOT NULL ORDER BY rowid", (kind,)
        )
        return {key: json.loads(value) for key, value in rows}

    def put(self, kind: str, key: str, value: Json) -> None:
        """Insert or replace a record, when the transaction ends."""
        self._changes[kind, key] = json.dumps(value)

    def delete(self, kind: str, key: str) -> None:
        """Delete a record, when the transaction ends. One that does not exist is no error."""
        self._changes[kind, key] = None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
