"""Which pages are private: they have tokens in their address, or are for operators."""

PRIVATE_PATHS = ("/c/", "/m/", "/p/", "/u/", "/sent", "/asked", "/operator", "/metrics", "/health")


def is_private(path: str) -> bool:
    """Whether a page must neither be stored nor indexed."""
    return path.startswith(PRIVATE_PATHS) and path != "/operator.css"
