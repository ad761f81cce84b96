"""The heartbeat: tells a monitor that watches for silence (Healthchecks, Uptime Kuma) that a run has ended, and how."""

import logging
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from core.database import first_line
from delivery.transport.base import without_addresses

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
MAX_LINE_CHARACTERS = 500
KUMA_PATH = "/api/push/"


def send_heartbeat(url: SecretStr | None, line: str, fault: str = "") -> None:
    """Tell the monitor at `url` the counts of a run in one `line`, or the `fault` for which it failed.

    Healthchecks takes a POST whose body it shows, at `URL/fail` for a failure (healthchecks.io/docs/http_api). Uptime
    Kuma takes a GET with `status` and `msg`. If the monitor cannot be reached, the run does not fail for it.
    """
    if url is None:
        return
    text = without_addresses(fault or line)[:MAX_LINE_CHARACTERS]
    try:
        _request(url.get_secret_value(), text, has_failed=bool(fault)).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = (
            first_line(error) if not isinstance(error, httpx.HTTPStatusError) else error.response.status_code
        )
        logger.warning("the heartbeat was not accepted: %s", str(why).replace(url.get_secret_value(), "URL"))


def _request(url: str, text: str, *, has_failed: bool) -> httpx.Response:
    if KUMA_PATH in urlsplit(url).path:
        status = "down" if has_failed else "up"
        address = httpx.URL(url).copy_merge_params({"status": status, "msg": text})
        return httpx.get(address, timeout=TIMEOUT_SECONDS)
    target = f"{url.rstrip('/')}/fail" if has_failed else url
    return httpx.post(target, content=text.encode(), timeout=TIMEOUT_SECONDS)
