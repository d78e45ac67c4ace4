"""The code asset of the Lambda functions that work in a database: their own packages and the libraries they need."""

import functools
import importlib.metadata
from pathlib import Path, PurePath

from aerodrome_constructs.functions.asset import SOURCE, asset_folder, copy_file, copy_package

LIBRARIES = ("pg8000", "scramp", "asn1crypto", "python-dateutil", "six")
"""pg8000 and all that it needs, each pure Python: what is installed at synth runs in Lambda as it is. boto3 comes with
Lambda's runtime."""

PROVISIONER = "aerodrome_constructs.database.provisioner_handler.handler.handle"
"""The entry point of the function that makes databases and users."""

ROTATION = "aerodrome_constructs.database.rotation_handler.handler.handle"
"""The entry point of the function that changes passwords."""

CA_BUNDLE = "database-ca.pem"
"""Where the asset holds the certificate authorities, from its root."""


def build(ca_bundle: Path) -> Path:
    """Lay the asset out in a folder that exists until this process ends.

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
    root = asset_folder("database-functions")
    for entry_point in (PROVISIONER, ROTATION):
        copy_package(entry_point.rsplit(".", 2)[0], root)
    copy_file(ca_bundle, root / CA_BUNDLE)
    for library in LIBRARIES:
        _copy_library(library, root)
    return root


def _copy_library(name: str, root: Path) -> None:
    try:
        files = importlib.metadata.files(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise RuntimeError(f"{name} is not installed: run `make setup`") from error
    for file in files or ():
        if file.suffix in {".so", ".pyd", ".dylib"}:
            raise RuntimeError(f"{name} holds {file}: only pure Python runs in Lambda as it was installed here")
        if ".." not in file.parts and (file.suffix in SOURCE or _is_kept_metadata(file)):
            copy_file(Path(str(file.locate())), root / file)


def _is_kept_metadata(file: PurePath) -> bool:
    """Licences, and METADATA, in which pg8000 and scramp look up their own version when they are imported."""
    kept = ("METADATA", "LICENSE", "LICENCE", "COPYING")
    return file.parts[0].endswith(".dist-info") and file.name.upper().startswith(kept)
