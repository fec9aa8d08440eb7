"""The certificates that verify a database in AWS."""

from __future__ import annotations

import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from infra.deploy import certificates

FILES = sorted(certificates.FOLDER.glob("*.pem"))
# Regions opened after the bundle that ours was made from. To deploy there, or once AWS opens more, renew ours.
LATER_REGIONS = {
    "ap-east-2",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "il-central-1",
    "mx-central-1",
}
LEAST_DAYS = 365


def _roots(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def test_every_region_but_the_latest_is_covered() -> None:
    import boto3

    known = set(boto3.session.Session().get_available_regions("rds"))

    assert known - LATER_REGIONS <= set(certificates.regions()) <= known


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_has_only_roots_that_are_valid_for_a_year(path: Path) -> None:
    for root in _roots(path):
        root.verify_directly_issued_by(root)
        assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert root.not_valid_before_utc <= datetime.now(UTC)
        assert datetime.now(UTC) + timedelta(days=LEAST_DAYS) < root.not_valid_after_utc
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    assert len(context.get_ca_certs()) == len(_roots(path))


@pytest.mark.parametrize("region", certificates.regions())
def test_a_regions_file_has_only_its_three_roots(region: str) -> None:
    roots = _roots(certificates.FOLDER / f"{region}.pem")

    assert sorted(map(certificates.common_name, roots)) == [
        f"Amazon RDS {region} Root CA {kind} G1" for kind in ("ECC384", "RSA2048", "RSA4096")
    ]


def test_the_sdk_trusts_the_proxys_roots_too() -> None:
    sdk = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    sdk.load_verify_locations(Path(botocore.__file__).with_name("cacert.pem"))
    trusted = set(sdk.get_ca_certs(binary_form=True))

    roots = _roots(certificates.FOLDER / f"{certificates.PROXY}.pem")

    assert len(roots) == 4
    assert {root.public_bytes(Encoding.DER) for root in roots} <= trusted


def test_rewriting_them_from_a_bundle_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("".join(path.read_text(encoding="utf-8") for path in reversed(FILES)), encoding="utf-8")

    certificates.write(certificates.parted(x509.load_pem_x509_certificates(bundle.read_bytes())), tmp_path / "new")

    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {
        path.name: path.read_bytes() for path in FILES
    }


def test_a_bundle_of_other_certificates_replaces_nothing(tmp_path: Path) -> None:
    bundle = certificates.FOLDER / f"{certificates.PROXY}.pem"
    done = subprocess.run(
        [sys.executable, "-m", "infra.deploy.certificates", str(bundle)], capture_output=True, check=False
    )

    assert done.returncode == 1
    assert certificates.regions()
