"""Checks the parameters of what a stage puts in front of its API, which depend on each other."""

from __future__ import annotations

from collections.abc import Mapping

from infra.deploy.package.errors import PackageError

# The smallest limit that AWS WAF accepts.
SMALLEST_RATE = 10


def check(chosen: Mapping[str, str]) -> None:
    """Check a stage's parameters for its domain and its firewall.

    Raises
    ------
    PackageError
        When the domain has no certificate, or the firewall's limit is too small.
    """
    if chosen.get("DomainName") and not (chosen.get("CertificateArn") or chosen.get("HostedZoneId")):
        raise PackageError("the stage sets DomainName, which needs CertificateArn or HostedZoneId")
    rate = chosen.get("RequestsPerAddress", "0")
    if not rate.isdecimal() or 0 < int(rate) < SMALLEST_RATE:
        raise PackageError(f"the stage sets RequestsPerAddress to {rate}: it must be 0 or at least {SMALLEST_RATE}")
