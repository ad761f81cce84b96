"""Web addresses: which ones are kept, how they are written, and when two of them lead to the same paper."""

import re
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from core.characters import storable

MAX_URL_CHARACTERS = 2000
MAX_HOST_CHARACTERS = 253  # RFC 1035, 2.3.4
URL = re.compile(r"https?://[^\s<>\"'{}|\\^`\[\]]+[^\s<>\"'{}|\\^`\[\].,;:!?)]")

# What an address may hold besides letters and digits (RFC 3986, 2.2 and 2.3, and the percent sign).
_URL_SIGNS = "!#$&'()*+,/:;=?@[]~%-._"
_ARXIV_NUMBER = re.compile(r"(?:^|[/.:])(\d{4}\.\d{4,5})(?:v\d{1,3})?(?:\.pdf)?$", re.IGNORECASE)
_ARXIV_HOSTS = {"arxiv.org", "export.arxiv.org", "alphaxiv.org", "ar5iv.org", "ar5iv.labs.arxiv.org"}
_DOI = re.compile(r"/(10\.\d{4,9}/[^\s?#]{1,200})$", re.IGNORECASE)
_TRACKING = re.compile(r"(utm_\w+|ref)(=|$)")
_PAPER_HOSTS = (
    "arxiv.org", "alphaxiv.org", "openreview.net", "aclanthology.org", "doi.org", "biorxiv.org", "medrxiv.org",
    "papers.nips.cc", "proceedings.neurips.cc", "proceedings.mlr.press", "nature.com", "science.org", "ssrn.com",
    "dl.acm.org", "ieeexplore.ieee.org", "semanticscholar.org", "openaccess.thecvf.com", "paperswithcode.com",
)  # fmt: skip


def safe_url(address: str | None, base: str) -> str | None:
    """The absolute http(s) address in ASCII, or None for anything else (`javascript:`, a mere anchor, spaces).

    An address with a user's name is none, because `https://arxiv.org@evil.example` only looks like arXiv.

    What is not ASCII is percent-encoded as UTF-8 (RFC 3987, 3.1), because MJML does not keep combining signs and
    invisible joiners as they are.
    """
    if not address or address.startswith("#") or len(address) > MAX_URL_CHARACTERS:
        return None
    try:
        url = urljoin(base, storable(address).strip())
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if parts.scheme not in {"http", "https"} or not host or port == 0 or "@" in parts.netloc:
            return None
        if len(host) > MAX_HOST_CHARACTERS or re.search(r"[\s<>\"\\\x00-\x20\x7f]", url):
            return None
        url = _in_ascii(url)
    except ValueError:
        return None
    return url if len(url) <= MAX_URL_CHARACTERS else None


def _in_ascii(url: str) -> str:
    """The address in ASCII: its host in IDNA, all else percent-encoded.

    Raises:
        ValueError: the host has no form in IDNA.
    """
    if url.isascii():
        return url
    parts = urlsplit(url)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    encoded = (quote(part, safe=_URL_SIGNS) for part in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme, host, *encoded))


def comparable_url(url: str) -> str:
    """An address in a normal form, so that two spellings of the same place are equal.

    The scheme, `www.`, a trailing slash, tracking parameters and arXiv's versions and formats do not count.
    """
    try:
        url = _in_ascii(url)
    except ValueError:
        return url
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    host = {"twitter.com": "x.com", "mobile.twitter.com": "x.com"}.get(host, host)
    path = parts.path.rstrip("/")
    if host in {"arxiv.org", "export.arxiv.org"}:
        host = "arxiv.org"
        path = re.sub(r"^/(?:pdf|html)/", "/abs/", path).removesuffix(".pdf")
        path = re.sub(r"v\d+$", "", path) if path.startswith("/abs/") else path
    query = "&".join(part for part in parts.query.split("&") if part and not _TRACKING.match(part))
    port = f":{parts.port}" if parts.port not in {None, 80, 443} else ""
    return urlunsplit(("https", host + port, path, query, ""))


def work_of(url: str) -> str:
    """What identifies the work that an address leads to: its arXiv number, its DOI, or else the address.

    The same work can have several addresses, for example at arXiv, at a publisher's and at Hugging Face.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    doi = _DOI.search(parts.path)
    number = _ARXIV_NUMBER.search(parts.path)
    is_paper_page = host == "huggingface.co" and parts.path.startswith("/papers/")
    if number and (host in _ARXIV_HOSTS or is_paper_page or (doi and "arxiv" in doi[1].lower())):
        return f"arxiv:{number[1]}"
    return f"doi:{doi[1].lower()}" if doi else comparable_url(url)


def leads_to_paper(url: str) -> bool:
    """Whether an address looks like that of a paper, and not of code, a project or a discussion."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    is_known = any(host == known or host.endswith(f".{known}") for known in _PAPER_HOSTS)
    return is_known or parts.path.lower().endswith(".pdf") or not work_of(url).startswith("https://")
