"""Whom the doctor trusts over TLS: the authorities of this machine (or of SSL_CERT_FILE), read once."""

import ssl
from functools import cache


@cache
def trusted() -> ssl.SSLContext:
    """For every request that the doctor makes itself."""
    return ssl.create_default_context()
