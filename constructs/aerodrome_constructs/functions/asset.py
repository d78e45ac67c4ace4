"""The code assets of functions: the packages of their handlers, and nothing that stands beside those."""

import functools
import importlib.util
import shutil
import tempfile
from pathlib import Path

SOURCE = frozenset({".py"})
"""What is copied of a package, by its suffix."""

_folders: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def package_asset(package: str) -> Path:
    """Lay out the code of a function that needs its own package only. boto3 comes with Lambda's runtime.

    Args:
        package: The package, such as ``aerodrome_constructs.batch.cleaner_handler``.

    Returns:
        The folder to make the asset of.

    Raises:
        ValueError: There is no such package.
    """
    root = asset_folder(package.rpartition(".")[2])
    copy_package(package, root)
    return root


def asset_folder(name: str) -> Path:
    """Make an empty folder that exists until this process ends.

    Args:
        name: What its name begins with, for whoever comes upon it.
    """
    _folders.append(tempfile.TemporaryDirectory(prefix=f"{name}-"))
    return Path(_folders[-1].name)


def copy_package(package: str, root: Path) -> None:
    """Copy the source of a package to its place in an asset.

    Its parents have no ``__init__.py`` there, so what else is in them stays behind. Names and contents depend on the
    commit only, and so does the asset's hash, which the CDK makes of both.

    Args:
        package: The package, in full.
        root: The asset's folder.

    Raises:
        ValueError: There is no such package.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"{package!r} is no package; name the one that the function's handler is in")
    source = Path(spec.submodule_search_locations[0])
    for file in sorted(source.rglob("*")):
        if file.suffix in SOURCE:
            copy_file(file, root.joinpath(*package.split("."), file.relative_to(source)))


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's contents, and neither its mode nor its time.

    Args:
        source: The file.
        target: Where it goes. Its folder is made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
