"""File systems of jobs: an EFS file system and a host's disk are directories here, and jobs have them where they ask.

A container has a view of the file system that is its own. A process has, too, in a mount namespace, which Linux lets
everybody make (``unshare``, of util-linux) unless an administrator forbids it. There the directories are mounted where
the job definition says, and nothing of it is seen outside. Where it is forbidden, or on another system, jobs run
without them, and their log says so first.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aerodrome_local.batch_service.backend import BackendError
from aerodrome_local.batch_service.model import Json

# In a user namespace of its own a process is root, and may mount.
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")

# A directory to mount on that this machine does not have is made on a tmpfs that covers the nearest one above it, in
# which everything else is put back: nothing is written to the machine's own disk. The covered directory is worked with
# from within, as its path then leads to the tmpfs.
_SCRIPT = """
set -e
make_room() {
  above=$1
  while [ ! -d "$above" ]; do above=${above%/*}; done
  if [ -z "$above" ]; then
    echo "embedded AWS: $1 cannot be mounted, as the machine has no directory above it but /" >&2
    exit 125
  fi
  before=$PWD
  copy=$(mktemp -d)
  mount --rbind "$above" "$copy"
  cd "$copy"
  mount -t tmpfs tmpfs "$above"
  for entry in * .[!.]*; do
    if [ -d "$entry" ] && [ ! -L "$entry" ]; then
      mkdir "$above/$entry"
      mount --rbind "$entry" "$above/$entry"
    elif [ -f "$entry" ] && [ ! -L "$entry" ]; then
      touch "$above/$entry"
      mount --bind "$entry" "$above/$entry"
    elif [ -L "$entry" ]; then
      cp -P "$entry" "$above/$entry"
    fi
  done
  mkdir -p "$1"
  cd "$before"
}
while [ "$1" != -- ]; do
  [ -d "$2" ] || make_room "$2"
  mount --bind "$1" "$2"
  [ "$3" != ro ] || mount -o remount,bind,ro "$2"
  shift 3
done
shift
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of this machine where a job has it.

    Attributes:
        source: The directory.
        target: Where the job has it.
        read_only: Whether the job may only read it.
    """

    source: Path
    target: str
    read_only: bool


def mounts_of(
    container: Json, *, directory: Path, account: str, own: Path, access_point_path: Callable[[str, str], str]
) -> list[Mount]:
    """What a container mounts. The directories are made where they are not there yet.

    Args:
        container: The container's properties.
        directory: Where the file systems of this embedded AWS are.
        account: The job's account. Its hosts share one disk.
        own: The attempt's own directory, for volumes that end with it.
        access_point_path: The path of an access point's root, by the IDs of file system and access point.

    Raises:
        BackendError: A volume is one that AWS would refuse when the job starts.
    """
    volumes = {volume["name"]: volume for volume in container["volumes"]}
    found = []
    for point in container["mountPoints"]:
        volume = volumes.get(point["sourceVolume"])
        if volume is None:
            raise BackendError(f"ResourceInitializationError: there is no volume {point['sourceVolume']!r} to mount")
        if "efsVolumeConfiguration" in volume:
            source = directory / "efs" / _efs_path(volume["efsVolumeConfiguration"], access_point_path)
        elif path := volume.get("host", {}).get("sourcePath"):
            source = directory / "hosts" / account / path.strip("/")
        else:
            source = own / "volumes" / volume["name"]
        source.mkdir(parents=True, exist_ok=True)
        found.append(Mount(source, point["containerPath"], bool(point.get("readOnly"))))
    return found


def _efs_path(configuration: Json, access_point_path: Callable[[str, str], str]) -> str:
    file_system, root = configuration["fileSystemId"], configuration.get("rootDirectory", "/")
    authorization = configuration.get("authorizationConfig", {})
    encrypted = configuration.get("transitEncryption") == "ENABLED"
    point = authorization.get("accessPointId")
    # https://docs.aws.amazon.com/batch/latest/APIReference/API_EFSAuthorizationConfig.html
    if not encrypted and (point or authorization.get("iam") == "ENABLED"):
        raise BackendError("ResourceInitializationError: an access point and IAM need transitEncryption ENABLED")
    if point:
        if root != "/":
            raise BackendError(f"ResourceInitializationError: rootDirectory {root} is not the access point's: leave it")
        root = access_point_path(file_system, point)
    return f"{file_system}/{root.strip('/')}"


def inside(argv: Sequence[str], environment: Mapping[str, str], mounts: Sequence[Mount]) -> list[str]:
    """A command as it runs with its mounts.

    Args:
        argv: The command.
        environment: Its environment. A command that is not on its PATH is left as it is, and fails as it would.
        mounts: What it mounts.
    """
    if not mounts or shutil.which(argv[0], path=environment["PATH"]) is None:
        return list(argv)
    given = [text for one in mounts for text in (str(one.source), one.target, "ro" if one.read_only else "rw")]
    return [*_NAMESPACE, "sh", "-c", _SCRIPT, "sh", *given, "--", *argv]


@cache
def can_mount() -> bool:
    """Whether this machine lets a process mount what only it sees. Asked of the machine once."""
    try:
        return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def left_out(mounts: Sequence[Mount]) -> str:
    """What the log of a job says that runs without its mounts."""
    paths = ", ".join(one.target for one in mounts)
    return f"embedded AWS: {paths} not mounted, as this machine allows no mount namespaces (unshare --user --mount)"
