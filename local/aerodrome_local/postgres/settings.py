"""What the parameters of a DB parameter group mean to the PostgreSQL that stands in for the instance."""

from collections.abc import Mapping
from dataclasses import dataclass

FORCE_TLS = "rds.force_ssl"

MANAGED = frozenset(
    {
        # The embedded AWS decides where the server listens, logs and keeps its files.
        "allow_system_table_mods",
        "archive_command",
        "archive_library",
        "archive_mode",
        "cluster_name",
        "config_file",
        "data_directory",
        "external_pid_file",
        "hba_file",
        "ident_file",
        "listen_addresses",
        "log_destination",
        "log_directory",
        "log_filename",
        "logging_collector",
        "port",
        "unix_socket_directories",
        "unix_socket_group",
        "unix_socket_permissions",
        # The libraries are not part of the package, and a server that cannot load one does not start.
        "local_preload_libraries",
        "session_preload_libraries",
        "shared_preload_libraries",
        # Sized for the instance class, not for the machine that the embedded AWS runs on.
        "effective_cache_size",
        "huge_pages",
        "shared_buffers",
    }
)
"""Parameters that PostgreSQL knows and that are recorded in the group only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A parameter group, interpreted.

    Attributes:
        server: What goes into the server's configuration.
        requires_tls: Whether connections without TLS are refused.
    """

    server: Mapping[str, str]
    requires_tls: bool


def interpret(parameters: Mapping[str, str], known: Mapping[str, str]) -> Settings:
    """Split a parameter group into what the server gets, what the endpoint does, and what is only recorded.

    Recorded only: ``rds.*`` other than ``rds.force_ssl``, parameters of extensions that are not there, those in
    :data:`MANAGED`, and formulas over the instance class such as ``{DBInstanceClassMemory/9531392}``.

    Args:
        parameters: The group's user-set parameters.
        known: The server's parameters, see :func:`aerodrome_local.postgres.binaries.parameters`.
    """
    server = {
        name: value
        for name, value in parameters.items()
        if name in known and name not in MANAGED and not name.startswith("ssl") and "{" not in value
    }
    # On for PostgreSQL 15 and later unless the group says otherwise (RDS user guide, "Requiring an SSL connection").
    return Settings(server=server, requires_tls=parameters.get(FORCE_TLS, "1") == "1")
