"""The code asset of the Lambda functions that work in a database: their own packages and the libraries they need."""

import functools
import importlib.metadata
import shutil
import tempfile
from pathlib import Path, PurePath

LIBRARIES = ("pg8000", "scramp", "asn1crypto", "python-dateutil", "six")
"""pg8000 and all that it needs, each pure Python: what is installed at synth runs in Lambda as it is. boto3 comes with
Lambda's runtime."""

PROVISIONER = "aerodrome_constructs.database.provisioner_handler.handler.handle"
"""The entry point of the function that makes databases and users. The parent packages have no ``__init__.py`` in the
asset, so the constructs stay behind."""

ROTATION = "aerodrome_constructs.database.rotation_handler.handler.handle"
"""The entry point of the function that changes passwords."""

CA_BUNDLE = "database-ca.pem"
"""Where the asset holds the certificate authorities, from its root."""

_HANDLERS = ("provisioner_handler", "rotation_handler")
_KEPT = frozenset({".py"})


def build(ca_bundle: Path) -> Path:
    """Lay the asset out in a directory that exists until this process ends.

    The files and their contents depend on the commit, the lock and the bundle only, and so does the asset's hash, which
    the CDK makes of both.

    Args:
        ca_bundle: Certificate authorities, in PEM, that the functions verify the database's certificate against.

    Raises:
        RuntimeError: A library is missing, or is not pure Python any more.
    """
    return _build(ca_bundle.resolve())


@functools.cache
def _build(ca_bundle: Path) -> Path:
    root = Path(_keep(tempfile.TemporaryDirectory(prefix="database-functions-")))
    package = root.joinpath(*PROVISIONER.split(".")[:-3])
    for handler in _HANDLERS:
        _copy_tree(Path(__file__).with_name(handler), package / handler)
    _copy(ca_bundle, root / CA_BUNDLE)
    for library in LIBRARIES:
        _copy_library(library, root)
    return root


_directories: list[tempfile.TemporaryDirectory[str]] = []


def _keep(directory: tempfile.TemporaryDirectory[str]) -> str:
    _directories.append(directory)
    return directory.name


def _copy_tree(source: Path, target: Path) -> None:
    for file in sorted(source.rglob("*")):
        if file.suffix in _KEPT:
            _copy(file, target / file.relative_to(source))


def _copy_library(name: str, root: Path) -> None:
    try:
        files = importlib.metadata.files(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise RuntimeError(f"{name} is not installed: run `make setup`") from error
    for file in files or ():
        if file.suffix in {".so", ".pyd", ".dylib"}:
            raise RuntimeError(f"{name} holds {file}: only pure Python runs in Lambda as it was installed here")
        if ".." not in file.parts and (file.suffix in _KEPT or _is_kept_metadata(file)):
            _copy(Path(str(file.locate())), root / file)


def _is_kept_metadata(file: PurePath) -> bool:
    """Licences, and METADATA, in which pg8000 and scramp look up their own version when they are imported."""
    kept = ("METADATA", "LICENSE", "LICENCE", "COPYING")
    return file.parts[0].endswith(".dist-info") and file.name.upper().startswith(kept)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)  # contents only: neither mode nor time
