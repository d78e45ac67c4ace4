"""One PostgreSQL server: its directory, its process and its roles."""

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from aerodrome_local.postgres import last_password, unprivileged
from aerodrome_local.postgres.binaries import LOG_PREFIX, Binaries, check, parameters
from aerodrome_local.postgres.front import ADMINISTRATOR
from aerodrome_local.postgres.sql import identifier, literal, scram_verifier

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
"""A fast shutdown ends every session and writes a checkpoint; after this long the server is killed, which only costs
the next start a recovery. All extensions of the embedded AWS together have 8 seconds to stop."""
_POLL_SECONDS = 0.02
_LONGEST_SOCKET_DIRECTORY = 84
"""sun_path holds 104 bytes on macOS (108 on Linux), of which PostgreSQL's ``/.s.PGSQL.5432`` and its lock take 20."""
_LOG_LINES = 5

_OWN_CONFIGURATION = """
listen_addresses = ''
max_wal_size = 256MB
# A crash of the machine may lose this database: a deploy makes it again, and a start takes half the time.
# A crash of the server or of the embedded AWS loses nothing.
fsync = off
full_page_writes = off
"""


class ServerError(RuntimeError):
    """PostgreSQL did not do as told. The message carries its own words."""


class Server:
    """A PostgreSQL server in a directory of its own, reachable through a unix socket only.

    Args:
        directory: Holds the data, the log and the administrator's password. Only this user may enter it.
        binaries: The PostgreSQL to run. The data of one major version cannot be read by another.
        environment: The environment of the server's processes.
    """

    def __init__(self, directory: Path, binaries: Binaries, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.binaries = binaries
        self._environment = {**environment, "LC_ALL": "C", "PGTZ": "UTC"}
        self._process: subprocess.Popen[bytes] | None = None
        self._started_with: dict[str, str] = {}
        self._data = directory / "data"
        # Not below the data: that path may be too long. The name is derived, not random: a server that was killed
        # leaves the directory behind, and the next start uses it again.
        name = hashlib.sha256(f"{os.geteuid()}:{directory.resolve()}".encode()).hexdigest()[:16]
        in_temporary_directory = Path(tempfile.gettempdir()) / f"aerodrome-postgres-{name}"
        fits = len(str(in_temporary_directory)) <= _LONGEST_SOCKET_DIRECTORY
        self._socket_directory = in_temporary_directory if fits else Path("/tmp", in_temporary_directory.name)  # noqa: S108 - its owner is checked

    @property
    def socket(self) -> Path:
        """The unix socket that the server listens on."""
        return self._socket_directory / ".s.PGSQL.5432"

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """What the server writes to its log."""
        return self.directory / "postgres.log"

    def start(self, settings: Mapping[str, str], *, username: str, password: str, database: str | None) -> None:
        """Start the server and return when it accepts connections. The first start makes the data directory.

        A server on the same data that an earlier run left behind is ended first.

        Args:
            settings: Its configuration parameters.
            username: The master user, made at the first start: may make databases and roles, is no superuser.
            password: Set for the master user if it is another than was set last: an earlier run may have ended between
                the record and the server. A password that the user gave itself meanwhile stays, as on RDS.
            database: A database of the master user's, made at the first start; None for none.

        Raises:
            ServerError: It does not start; the message has the last lines of its log.
            ValueError: A parameter's value is not valid.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        check(settings, self.binaries)
        self._end_orphan()
        complete = self.directory / "complete"
        if not complete.exists():
            self._initialize()
        self._configure(settings)
        self._make_socket_directory()
        self._run()
        self._started_with = dict(settings)
        if not complete.exists():
            self._make_master(username, password, database)
            complete.touch()
        elif not last_password.is_noted(self.directory, password):
            self.set_password(username, password)

    def stop(self) -> None:
        """Shut the server down, ending every session; kill it if that takes too long. Nothing to do if it is down."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended by itself just now
                _end(psutil.Process(self._process.pid))
            self._process.wait()
        self._process = None
        shutil.rmtree(self._socket_directory, ignore_errors=True)

    def set_password(self, username: str, password: str) -> None:
        """Change a role's password."""
        self.execute(f"ALTER ROLE {identifier(username)} PASSWORD {literal(scram_verifier(password))};")
        last_password.note(self.directory, password)

    def reconfigure(self, settings: Mapping[str, str]) -> list[str]:
        """Apply parameters to the running server.

        Returns:
            The parameters whose change waits for a restart.

        Raises:
            ValueError: A value is not valid; nothing is changed.
        """
        check(settings, self.binaries)
        self._configure(settings)
        self.execute("SELECT pg_reload_conf();")
        contexts = parameters(self.binaries)
        changed = {
            name for name in {*self._started_with, *settings} if self._started_with.get(name) != settings.get(name)
        }
        return sorted(name for name in changed if contexts.get(name) == "postmaster")

    def execute(self, script: str, database: str = "postgres") -> str:
        """Run SQL as the superuser; returns the rows, one a line.

        Raises:
            ServerError: A statement failed. The message has the server's words, not the statement.
        """
        arguments = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse"]
        arguments += ["-h", str(self._socket_directory), "-U", ADMINISTRATOR, "-d", database]
        return self._call([self.binaries.path("psql"), *arguments], "SQL failed", script, self._administrator_password)

    @property
    def _administrator_password(self) -> str:
        return (self.directory / "administrator").read_text(encoding="ascii")

    def _initialize(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        password_file = self.directory / "administrator"
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_hex(24), encoding="ascii")
        if account := unprivileged.account():
            os.chown(self._data, *account)
            os.chown(password_file, *account)
        # Locale C is on every machine. The message catalogue and collation of the user's own locale may not be.
        arguments = ["-D", str(self._data), "-U", ADMINISTRATOR, "--pwfile", str(password_file), "--no-sync"]
        arguments += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        self._call(unprivileged.command(self.binaries.path("initdb"), *arguments), "initdb failed")
        # Only the socket's directory decides who may connect, and every connection needs a password.
        self._write(self._data / "pg_hba.conf", "local all all scram-sha-256\n")

    def _configure(self, settings: Mapping[str, str]) -> None:
        lines = [f"{name} = {literal(value)}" for name, value in sorted(settings.items())]
        lines += [_OWN_CONFIGURATION, f"unix_socket_directories = {literal(str(self._socket_directory))}"]
        self._write(self._data / "postgresql.conf", "\n".join(lines) + "\n")

    def _make_socket_directory(self) -> None:
        directory = self._socket_directory
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        account = unprivileged.account()
        status = directory.lstat()
        # The name can be guessed: a directory that somebody else made must not be where passwords are sent.
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {os.geteuid(), (account or (0,))[0]}:
            raise ServerError(f"{directory} belongs to another user: remove it, then start the DB instance again")
        directory.chmod(0o700)
        if account:
            os.chown(directory, *account)

    def _run(self) -> None:
        command = unprivileged.command(self.binaries.path("postgres"), "-D", str(self._data))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd="/",
                start_new_session=True,  # a Ctrl-C at the terminal is for the embedded AWS, which then stops the server
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"PostgreSQL {self.binaries.version} does not start: {self._last_log_lines()}")
            if self._status() == "ready":
                return
            time.sleep(_POLL_SECONDS)
        self.stop()
        raise ServerError(
            f"PostgreSQL {self.binaries.version} was not ready after {_START_SECONDS:.0f} s: {self._last_log_lines()}"
        )

    def _make_master(self, username: str, password: str, database: str | None) -> None:
        # As RDS does: the master user is no superuser, is a member of rds_superuser, and owns the database postgres.
        master = identifier(username)
        self.execute(
            f"""
            CREATE ROLE rds_superuser NOLOGIN;
            GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION;
            CREATE ROLE {master} LOGIN CREATEDB CREATEROLE PASSWORD {literal(scram_verifier(password))};
            GRANT rds_superuser TO {master} WITH ADMIN OPTION;
            ALTER DATABASE postgres OWNER TO {master};
            """
        )
        if database and database != "postgres":
            self.execute(f"CREATE DATABASE {identifier(database)} OWNER {master};")
        last_password.note(self.directory, password)

    def _status(self) -> str | None:
        """The postmaster's own word for its state, on line 8 of its lock file (PostgreSQL's utils/pidfile.h)."""
        lines = self._lock_file()
        process = self._process
        if process is None or len(lines) < 8 or lines[0].strip() != str(process.pid):  # noqa: PLR2004 - line 8
            return None
        return lines[7].strip()

    def _lock_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _end_orphan(self) -> None:
        """End a server that outlived the embedded AWS, and forget one that is long gone.

        PostgreSQL would refuse to start if the old process id now belonged to any other process of this user.
        """
        lines = self._lock_file()
        if not lines:
            return
        with contextlib.suppress(psutil.Error, ValueError):
            process = psutil.Process(int(lines[0]))
            if str(self._data) in process.cmdline():
                _end(process)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _last_log_lines(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join(lines[-_LOG_LINES:])

    def _write(self, path: Path, text: str) -> None:
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        if account := unprivileged.account():
            os.chown(path, *account)

    def _call(self, command: list[str], failure: str, script: str | None = None, password: str | None = None) -> str:
        environment = self._environment if password is None else {**self._environment, "PGPASSWORD": password}
        result = subprocess.run(
            command, input=script or "", env=environment, cwd="/", capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            said = [LOG_PREFIX.sub("", line) for line in result.stderr.strip().splitlines()[:_LOG_LINES]]
            raise ServerError(f"{failure}: {' | '.join(said)}")
        return result.stdout.strip()


def _end(postmaster: psutil.Process) -> None:
    """Fast shutdown of a server; SIGKILL for all its processes if that takes too long."""
    family = [postmaster, *postmaster.children(recursive=True)]
    postmaster.send_signal(signal.SIGINT)
    _, stuck = psutil.wait_procs(family, timeout=_STOP_SECONDS)
    for process in stuck:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stuck, timeout=_STOP_SECONDS)
