"""Reads DKIM keys from files. It is imported only where Paperboy signs, because it loads cryptography."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from emails.mime.dkim_signing import DkimKey, DkimKeyError, DkimSigner

MIN_RSA_BITS = 1024  # receivers ignore shorter keys (RFC 8301, 3.2)


def load_signer(selectors: Sequence[str], key_files: Sequence[Path]) -> DkimSigner:
    """The signer with the key in each file, whose selector has the same place in `selectors`.

    Raises:
        DkimKeyError: a file cannot be read, or does not hold a private key that mails can be signed with.
    """
    if len(selectors) != len(key_files):
        raise DkimKeyError(
            f"PAPERBOY_DKIM_SELECTOR: name one selector for each of the {len(key_files)} keys in PAPERBOY_DKIM_KEY_FILE"
        )
    return DkimSigner(tuple(map(_load_key, selectors, key_files)))


def public_bytes(key: RSAPublicKey | Ed25519PublicKey) -> bytes:
    """A public key as a DKIM record holds it, before base64."""
    if isinstance(key, Ed25519PublicKey):
        return key.public_bytes_raw()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _load_key(selector: str, file: Path) -> DkimKey:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise DkimKeyError(f"PAPERBOY_DKIM_KEY_FILE: {file} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):  # a TypeError if the key has a password
        raise _unusable(file) from None
    if isinstance(key, RSAPrivateKey) and key.key_size >= MIN_RSA_BITS:
        return DkimKey(selector, public_bytes(key.public_key()), "rsa-sha256", _signing_with_rsa(key))
    if isinstance(key, Ed25519PrivateKey):
        return DkimKey(selector, public_bytes(key.public_key()), "ed25519-sha256", _signing_with_ed25519(key))
    raise _unusable(file)


def _signing_with_rsa(key: RSAPrivateKey) -> Callable[[bytes], bytes]:
    padding, algorithm = PKCS1v15(), SHA256()
    return lambda data: key.sign(data, padding, algorithm)


def _signing_with_ed25519(key: Ed25519PrivateKey) -> Callable[[bytes], bytes]:
    return lambda data: key.sign(hashlib.sha256(data).digest())  # RFC 8463, 3: the hash is signed


def _unusable(file: Path) -> DkimKeyError:
    return DkimKeyError(
        f"PAPERBOY_DKIM_KEY_FILE: {file} does not hold an RSA key (of {MIN_RSA_BITS} bits or more) or an Ed25519 key, "
        "in PEM and without a password"
    )
