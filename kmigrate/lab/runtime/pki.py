"""A certificate authority and one server certificate for a lab; keys are written with mode 0600."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kmigrate.lab.runtime.properties import write_secret

LIFETIME = dt.timedelta(days=825)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM files: `ca` is the authority's certificate; `server` is key and chain in ONE file, as Kafka reads it."""

    ca: Path
    server: Path


def make_certificates(folder: Path, name: str, *, lifetime: dt.timedelta = LIFETIME) -> Certificates:
    """Make an authority and a server certificate for localhost, 127.0.0.1 and ::1 in `folder`, or take what is there.

    Files NAME-ca.pem and NAME-server.pem (0600). The authority's own key is kept nowhere. Both are valid from an hour
    ago on; the server's certificate ends after its `lifetime`, counted from now: a negative one has expired.
    """
    made = Certificates(ca=folder / f"{name}-ca.pem", server=folder / f"{name}-server.pem")
    if made.ca.exists() and made.server.exists():
        return made
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(f"{name}-ca", authority_key)
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _server(authority, authority_key, server_key, lifetime)
    key = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(made.server, (key + _pem(server) + _pem(authority)).decode())
    write_secret(made.ca, _pem(authority).decode())
    return made


def _authority(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _draft(name, _name(name), key.public_key(), LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _server(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    lifetime: dt.timedelta,
) -> x509.Certificate:
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _draft("broker", authority.subject, key.public_key(), lifetime)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _draft(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + lifetime)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
