"""People and programs, and how they sign on, where a company's own identity provider is not to be had."""

from aerodrome_constructs.sign_on.clients import ConfidentialClient, browser_client, command_line_client, machine_client
from aerodrome_constructs.sign_on.directory import Directory, DirectoryProps

__all__ = [
    "ConfidentialClient",
    "Directory",
    "DirectoryProps",
    "browser_client",
    "command_line_client",
    "machine_client",
]
