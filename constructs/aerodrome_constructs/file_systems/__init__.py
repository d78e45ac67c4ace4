"""File systems that containers share."""

from aerodrome_constructs.file_systems.elastic import (
    CLIENT_ACTIONS,
    AccessPoint,
    ElasticFileSystem,
    ElasticFileSystemProps,
)
from aerodrome_constructs.file_systems.lustre import (
    LUSTRE_PATH,
    LustreFileSystem,
    LustreFileSystemProps,
    lustre_mount_commands,
)

__all__ = [
    "CLIENT_ACTIONS",
    "LUSTRE_PATH",
    "AccessPoint",
    "ElasticFileSystem",
    "ElasticFileSystemProps",
    "LustreFileSystem",
    "LustreFileSystemProps",
    "lustre_mount_commands",
]
