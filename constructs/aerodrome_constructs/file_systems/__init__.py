"""File systems that containers share."""

from aerodrome_constructs.file_systems.elastic import (
    CLIENT_ACTIONS,
    AccessPoint,
    ElasticFileSystem,
    ElasticFileSystemProps,
)
from aerodrome_constructs.file_systems.lustre import LustreFileSystem, LustreFileSystemProps

__all__ = [
    "CLIENT_ACTIONS",
    "AccessPoint",
    "ElasticFileSystem",
    "ElasticFileSystemProps",
    "LustreFileSystem",
    "LustreFileSystemProps",
]
