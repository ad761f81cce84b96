"""The TLS context of the doctor's own HTTP requests: it trusts the authorities of this machine."""

import ssl
from functools import cache


@cache
def tls_context() -> ssl.SSLContext:
    """The context, created once. SSL_CERT_FILE can name the certificate authorities to trust."""
    return ssl.create_default_context()
