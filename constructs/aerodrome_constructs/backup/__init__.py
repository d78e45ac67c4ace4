"""AWS Backup: vaults that nobody empties, what is put into them every day, and who may do so."""

from aerodrome_constructs.backup.failures import BackupFailures, BackupFailuresProps
from aerodrome_constructs.backup.files import FileBackups, FileBackupsProps
from aerodrome_constructs.backup.plan import DailyBackups, DailyBackupsProps
from aerodrome_constructs.backup.roles import BackupRole, RestoreRole
from aerodrome_constructs.backup.sources import BackupSources, CopyDestination
from aerodrome_constructs.backup.vault import BackupVault, BackupVaultProps, VaultLock

__all__ = [
    "BackupFailures",
    "BackupFailuresProps",
    "BackupRole",
    "BackupSources",
    "BackupVault",
    "BackupVaultProps",
    "CopyDestination",
    "DailyBackups",
    "DailyBackupsProps",
    "FileBackups",
    "FileBackupsProps",
    "RestoreRole",
    "VaultLock",
]
