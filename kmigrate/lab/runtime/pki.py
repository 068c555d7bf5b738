"""Certificate authorities of a lab and what they sign; keys are written with mode 0600."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A private key (PKCS8) and its certificate, both PEM."""

    key: str = field(repr=False)
    certificate: str


class Authority:
    """A certificate authority whose key is only here, in memory."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _authority(name, self._key)

    @property
    def certificate(self) -> str:
        """Its own certificate, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, name: str, groups: Sequence[str] = (), *, lifetime: dt.timedelta = LIFETIME) -> Issued:
        """Sign for a server on localhost, 127.0.0.1 and ::1, or for a client; `groups` are its organisations.

        Valid from an hour ago on, for its `lifetime` counted from now: a negative one has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([*_name(name), *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, one) for one in groups)])
        draft = _draft(subject, self._certificate.subject, key.public_key(), lifetime)
        certificate = _for_server_or_client(draft, self._key.public_key()).sign(self._key, hashes.SHA256())
        return Issued(key=_pem(key), certificate=certificate.public_bytes(serialization.Encoding.PEM).decode())


def make_certificates(folder: Path, name: str, *, lifetime: dt.timedelta = LIFETIME) -> Certificates:
    """Make an authority and a server certificate for localhost, 127.0.0.1 and ::1 in `folder`, or take what is there.

    Files NAME-ca.pem and NAME-server.pem (0600). The authority's own key is kept nowhere. Both are valid from an hour
    ago on; the server's certificate ends after its `lifetime`, counted from now: a negative one has expired.
    """
    made = Certificates(ca=folder / f"{name}-ca.pem", server=folder / f"{name}-server.pem")
    if made.ca.exists() and made.server.exists():
        return made
    authority = Authority(f"{name}-ca")
    server = authority.issue("broker", lifetime=lifetime)
    write_secret(made.server, server.key + server.certificate + authority.certificate)
    write_secret(made.ca, authority.certificate)
    return made


def new_pair() -> str:
    """A private key, PEM, in the older form (SEC1) of which Kubernetes takes the public key, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


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
        _draft(x509.Name(_name(name)), x509.Name(_name(name)), key.public_key(), LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _for_server_or_client(draft: x509.CertificateBuilder, issuer: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        draft.add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
    )


def _draft(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + lifetime)
    )


def _name(common_name: str) -> list[x509.NameAttribute[str]]:
    return [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
