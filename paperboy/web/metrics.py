"""`/metrics`, for those who may read it. See `monitoring.prometheus`."""

import hmac
import ipaddress

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import SecretStr

from monitoring.prometheus import MetricsCache
from paperboy.web.deps import ContextDep

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request, context: ContextDep) -> Response:
    """The metrics; for anybody who may not read them, there is no such page."""
    if not _may_read(request, context.settings.metrics_token):
        raise HTTPException(404)
    cache: MetricsCache = request.app.state.metrics
    return Response(cache.text(), headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


def _may_read(request: Request, token: SecretStr | None) -> bool:
    """Whether a request has the token or, if none is set, comes directly from this machine."""
    if token:
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {token.get_secret_value()}".encode())
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False  # a proxy forwards it for somebody who may be anywhere
    try:
        peer = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
    return (mapped or peer).is_loopback
