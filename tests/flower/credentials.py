"""A certificate authority, a server's certificate and SuperNode keys, made for one test and good for a day."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "127.0.0.1")


def _private(path: Path, key: ec.EllipticCurvePrivateKey, ssh: bool = False) -> None:
    form = serialization.PrivateFormat.OpenSSH if ssh else serialization.PrivateFormat.PKCS8
    path.touch(0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def _builder(subject: str, key: ec.EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    begin = min(now - dt.timedelta(hours=1), now + dt.timedelta(days=days, hours=-1))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    made = x509.CertificateBuilder().subject_name(name).public_key(key.public_key())
    return made.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(
        now + dt.timedelta(days=days)
    )  # fmt: skip


def server_certificates(home: Path, names: tuple[str, ...] = NAMES, days: float = 1.0) -> None:
    """ca.crt, server.crt and server.key in a directory. days: how long the server's is good; negative is expired."""
    ca, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "horae test authority")])
    ski = x509.SubjectKeyIdentifier.from_public_key(ca.public_key())
    root = (
        _builder("horae test authority", ca, 2.0)
        .issuer_name(authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(ski, critical=False)
        .sign(ca, hashes.SHA256())
    )
    places: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
    ]
    leaf = (
        _builder(names[0], server, days)
        .issuer_name(authority)
        .add_extension(x509.SubjectAlternativeName(places), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), critical=False)
        .sign(ca, hashes.SHA256())
    )
    (home / "ca.crt").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (home / "server.crt").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    _private(home / "server.key", server)


def node_keys(path: Path) -> Path:
    """A SuperNode's private key at `path`, in OpenSSH's form, and its public key beside it: the latter's path."""
    public = path.with_suffix(".pub")
    key = ec.generate_private_key(ec.SECP384R1())
    _private(path, key, ssh=True)
    form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    public.write_bytes(key.public_key().public_bytes(*form))
    return public
