"""Certificates and private keys: there, matching, in time, for the right host, and for nobody else's eyes."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from horae.errors import one_line
from horae.flower.finding import Finding, ok, warn, wrong

SOON = dt.timedelta(days=30)
CURVES = ("secp256r1", "secp384r1", "secp521r1")  # of SuperNode keys
PAST = "make new ones as in the app's README.md"


def certificates(ca: Path | None, cert: Path | None, key: Path | None, hosts: Sequence[str]) -> Iterator[Finding]:
    """The authority's certificate, the server's, and the server's private key."""
    if ca is None and cert is None and key is None:
        if hosts:
            yield warn("certificates", "none given", "give --ca, or say --insecure on one machine")
        return
    known: dict[str, x509.Certificate] = {}
    for name, file in (("ca", ca), ("cert", cert)):
        if file is not None:
            found = _certificate(name, file)
            if isinstance(found, Finding):
                yield found
            else:
                known[name] = found
                yield dates(name, found, dt.datetime.now(dt.UTC))
    if {"ca", "cert"} <= set(known):
        yield issued(known["cert"], known["ca"])
    if "cert" in known:
        yield from (covers(known["cert"], host) for host in dict.fromkeys([*hosts, "127.0.0.1"]))
    if key is not None:
        yield from server_key(key, known.get("cert"))


def _certificate(name: str, file: Path) -> x509.Certificate | Finding:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except OSError as error:
        return wrong(name, f"{file}: {error.strerror}", f"check the path; {PAST}")
    except ValueError as error:
        return wrong(name, f"{file} is no PEM certificate: {one_line(error, 60)}", PAST)


def dates(name: str, certificate: x509.Certificate, now: dt.datetime) -> Finding:
    """Not yet, in time, soon over, over."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        return wrong(name, f"expired on {end:%Y-%m-%d}", PAST)
    if now < begin:
        return wrong(name, f"is not valid before {begin:%Y-%m-%d %H:%M} UTC", "check this machine's clock")
    if end - now < SOON:
        return warn(name, f"expires on {end:%Y-%m-%d}", PAST)
    return ok(name, f"valid until {end:%Y-%m-%d}")


def issued(cert: x509.Certificate, ca: x509.Certificate) -> Finding:
    """Whether this authority signed this certificate."""
    try:
        cert.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return wrong(
            "cert and ca", "the certificate is not signed by this authority", "sign it, or give the right --ca"
        )
    return ok("cert and ca", "the authority signed the certificate")


def covers(cert: x509.Certificate, host: str) -> Finding:
    """Whether a certificate is good for a host: its subject alternative names alone count."""
    check = f"cert for {host}"
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return wrong(check, "it names no host at all (subjectAltName)", PAST)
    try:
        good = ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        listed = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
        good = host.lower() in listed or "*." + host.lower().partition(".")[2] in listed
    if good:
        return ok(check, "covered")
    all_names = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    why = "; the SuperLink's own helpers reach it there" if host == "127.0.0.1" else ""
    return wrong(check, f"it covers only {one_line(', '.join(all_names), 80)}", f"add {host} to subjectAltName{why}")


def server_key(file: Path, cert: x509.Certificate | None) -> Iterator[Finding]:
    """The server's private key: readable, its certificate's, and the owner's alone."""
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        yield wrong("key", f"{file}: {error.strerror}", f"check the path; {PAST}")
        return
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        yield wrong("key", f"{file} is no PEM private key without a password: {one_line(error, 60)}", PAST)
        return
    if cert is not None:
        form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        same = key.public_key().public_bytes(*form) == cert.public_key().public_bytes(*form)
        yield (
            ok("key and cert", "belong together")
            if same
            else wrong(
                "key and cert", "the key is not this certificate's", "give the key that the certificate was made with"
            )
        )
    yield secret("key", file)


def node_key(file: Path) -> Finding:
    """A SuperNode's private key: OpenSSH, on a curve that Flower takes, the owner's alone."""
    made = 'ssh-keygen -t ecdsa -b 384 -N "" -f FILE makes one'
    try:
        key = serialization.load_ssh_private_key(file.read_bytes(), None)
    except OSError as error:
        return wrong("node key", f"{file}: {error.strerror}", f"check the path; {made}")
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        return wrong("node key", f"{file} is no OpenSSH key without a password: {one_line(error, 60)}", made)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in CURVES:
        return wrong("node key", "not ECDSA on a NIST curve, which Flower asks for", made)
    return secret("node key", file)


def secret(check: str, file: Path) -> Finding:
    """Whether others on this machine can read a file."""
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        return wrong(check, f"{file} can be read by others (mode {mode:o})", f"chmod 600 {file}")
    return ok(check, f"{file}, for its owner alone")
