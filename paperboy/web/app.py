"""The web application: `create_app` for any ASGI server, `serve` for `paperboy web`."""

import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from uvicorn.config import LOGGING_CONFIG

from core.logs import configure_logging
from core.rate_storage import open_rate_storage
from core.schema import open_database
from core.settings import Settings, load_settings
from core.version import installed_version
from delivery.context import Clock
from emails.letters import OperatorNotice
from mailings.background import send_letters, send_resends
from mailings.context import identity_from, rules_from
from monitoring.prometheus import MetricsCache
from paperboy.admin.routes import add_admin
from paperboy.web import (
    api,
    archive,
    card_pages,
    explanations,
    exports,
    metrics,
    papers,
    preferences,
    signup,
    sitemap,
    static,
    unsubscribe,
)
from paperboy.web.background import BackgroundWorker
from paperboy.web.caching import CachingMiddleware
from paperboy.web.deps import WebContext
from paperboy.web.errors import add_error_handlers
from paperboy.web.http_protocol import BoundedHttpProtocol
from paperboy.web.middleware import GuardMiddleware
from subscribers.signup_limits import AttemptLimit, SignupLimits, SignupRates

logger = logging.getLogger(__name__)

ROUTERS = (
    signup,
    preferences,
    unsubscribe,
    exports,
    archive,
    papers,
    card_pages,
    sitemap,
    explanations,
    api,
    metrics,
    static,
)
LOGIN_RATES = "5 per minute; 30 per hour"  # for one network
MAX_WAITING_NOTICES = 20  # the newest are kept


def create_app(settings: Settings | None = None, clock: Clock = lambda: datetime.now(UTC)) -> FastAPI:
    """The application by the given settings, or those in force. Nothing runs before it starts.

    Raises:
        SettingsError, DatabaseError: it cannot work as things are.
    """
    settings = settings or load_settings()
    configure_logging(settings.log_format)
    context, workers = _build_context(settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with workers[0], workers[1]:
            yield

    app = FastAPI(
        title=settings.name,
        version=installed_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,  # Starlette would build the address from the Host header; see GuardMiddleware
        lifespan=lifespan,
    )
    app.state.context = context
    app.state.metrics = MetricsCache(context.database, clock)
    for module in ROUTERS:
        app.include_router(module.router)
    add_admin(app)
    add_error_handlers(app)
    if settings.api_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.api_origins, allow_methods=["POST"], allow_headers=["*"]
        )
    app.add_middleware(CachingMiddleware)
    app.add_middleware(GuardMiddleware, host=context.host)
    return app


def _build_context(
    settings: Settings, clock: Clock
) -> tuple[WebContext, tuple[BackgroundWorker, BackgroundWorker]]:
    """What the pages need, and the workers that send in the background."""
    database = open_database(settings.database_url)
    redis_url = settings.limits_url.get_secret_value() if settings.limits_url else ""
    counts = open_rate_storage(redis_url, database)
    rates = SignupRates(settings.sign_ups_per_network, settings.sign_ups_per_domain, settings.sign_ups_in_all)
    notices: deque[OperatorNotice] = deque(maxlen=MAX_WAITING_NOTICES)
    letters = BackgroundWorker("letters", lambda: send_letters(settings, database, clock, notices))
    # Many copies take their time, so another worker sends them while sign-ups are answered.
    resends = BackgroundWorker("copies", lambda: send_resends(settings, database, clock))

    def wake() -> None:
        letters.wake()
        resends.wake()

    def notify(notice: OperatorNotice) -> None:
        logger.warning("%s: %s", notice.what, notice.cause)
        if settings.operator:
            notices.append(notice)
            letters.wake()

    context = WebContext(
        settings=settings,
        database=database,
        identity=identity_from(settings),
        rules=rules_from(settings),
        signup_limits=SignupLimits(counts, rates),
        login_limit=AttemptLimit(counts, "sign in as operator", LOGIN_RATES),
        clock=clock,
        wake=wake,
        notify=notify,
    )
    return context, (letters, resends)


def serve(host: str, port: int) -> None:
    """Serve the pages until interrupted."""
    app = create_app()
    is_json = app.state.context.settings.log_format == "json"
    uvicorn.run(
        app,
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        log_level="info",
        http=BoundedHttpProtocol,
        log_config=None if is_json else LOGGING_CONFIG,
    )


@contextmanager
def served(app: FastAPI, host: str, port: int) -> Iterator[str]:
    """Serve the pages while the context lasts (port 0: any free port). Yields their address."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            access_log=False,
            server_header=False,
            log_level="warning",
            http=BoundedHttpProtocol,
        )
    )
    thread = threading.Thread(target=server.run, name="pages")
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise OSError(f"the pages cannot be served at {host}:{port}")
            time.sleep(0.05)
        yield f"http://{host}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
