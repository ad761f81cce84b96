"""The web application: `create_app` for any ASGI server, `serve` for `paperboy web`."""

import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy import text
from starlette.middleware.cors import CORSMiddleware
from uvicorn.config import LOGGING_CONFIG

from core import logs
from core.database import Database, open_database, reading
from core.settings import Settings, load
from delivery import outbox, queries
from delivery.planner import PROMPT
from delivery.sender import Clock, Office, drain
from delivery.transport.smtp.replies import Refusal
from emails.letters import Notice
from mailings.account_mails import answer_applications
from mailings.context import house_of, open_office, rules_of
from mailings.resend.plan import is_of_copies
from monitoring.notices import notify
from paperboy.admin import auth, mails, overview, previews, resend, statistics
from paperboy.admin.auth import NotSignedInError, RefusedError, refuse, to_login
from paperboy.web import api, archive, metrics, preferences, signup, unsubscribe
from paperboy.web.background import Postman
from paperboy.web.deps import AtDesk, Desk
from paperboy.web.errors import answer_faults
from paperboy.web.middleware import Guard
from subscribers.signup_limits import Allowances, SignUpLimits, Tries, open_storage

logger = logging.getLogger(__name__)

FOR_READERS = (signup, preferences, unsubscribe, archive, api)
FOR_OPERATORS = (auth, overview, mails, previews, statistics, resend, metrics)
LOGINS = "5 per minute; 30 per hour"  # of one network
MOST_NOTICES = 20  # that wait for the mail server; the newest are kept


def create_app(settings: Settings | None = None, clock: Clock = lambda: datetime.now(UTC)) -> FastAPI:
    """The application by the settings in force; nothing runs before it starts.

    Raises:
        SettingsError, DatabaseError: it cannot work as things are.
    """
    settings = settings or load()
    logs.set_up(settings.log_format)
    database = open_database(settings.database_url)
    counts = open_storage(settings.limits_url.get_secret_value() if settings.limits_url else "", database)
    allowances = Allowances(
        settings.sign_ups_per_network, settings.sign_ups_per_domain, settings.sign_ups_in_all
    )
    notices: deque[Notice] = deque(maxlen=MOST_NOTICES)
    postman = Postman("letters", lambda: _send_letters(settings, database, clock, notices))
    # Many copies take their time, and sign-ups are answered meanwhile.
    second = Postman("copies", lambda: _send_copies(settings, database, clock))

    def nudge() -> None:
        postman.nudge()
        second.nudge()

    def alarm(notice: Notice) -> None:
        logger.warning("%s: %s", notice.what, notice.cause)
        if settings.operator:
            notices.append(notice)
            postman.nudge()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with postman, second:
            yield

    app = FastAPI(
        title="Paperboy",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.state.desk = Desk(
        settings=settings,
        database=database,
        house=house_of(settings),
        rules=rules_of(settings),
        limits=SignUpLimits(counts, allowances),
        logins=Tries(counts, "sign in as operator", LOGINS),
        clock=clock,
        nudge=nudge,
        alarm=alarm,
    )
    app.state.scrape = metrics.Scrape(database, clock)
    for part in (*FOR_READERS, *FOR_OPERATORS):
        app.include_router(part.router)
    app.add_exception_handler(NotSignedInError, to_login)
    app.add_exception_handler(RefusedError, refuse)
    for path, answer in (
        ("/style.css", _style),
        ("/operator.css", _operator_style),
        ("/icon.svg", _icon),
        ("/robots.txt", _robots),
    ):
        app.add_api_route(path, answer, include_in_schema=False)
    app.add_api_route("/health", _health, include_in_schema=False)
    answer_faults(app)
    if settings.api_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.api_origins, allow_methods=["POST"], allow_headers=["*"]
        )
    app.add_middleware(Guard, host=app.state.desk.host)
    return app


def serve(host: str, port: int) -> None:
    """Serve the pages until interrupted."""
    app = create_app()
    is_json = app.state.desk.settings.log_format == "json"
    uvicorn.run(
        app,
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        log_level="info",
        log_config=None if is_json else LOGGING_CONFIG,
    )


@contextmanager
def served(app: FastAPI, host: str, port: int) -> Iterator[str]:
    """Serve the pages while the context lasts (port 0: any); yields their address."""
    server = uvicorn.Server(
        uvicorn.Config(app, host=host, port=port, access_log=False, server_header=False, log_level="warning")
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


def _send_letters(settings: Settings, database: Database, clock: Clock, notices: deque[Notice]) -> str:
    """Answer sign-ups, and send what somebody is waiting for; what keeps it back, or nothing."""
    with database.sessions.begin() as session:
        answer_applications(session, house_of(settings), clock())
        is_idle = not notices and not queries.count_due(session, PROMPT, clock())
    if is_idle:
        return ""
    with open_office(settings, database) as opened:
        office = replace(opened, clock=clock)
        drained = drain(office, PROMPT, repeat_uncertain=rules_of(settings).repeat_uncertain)
        return drained.stopped or _tell(office, settings.operator, notices)


def _send_copies(settings: Settings, database: Database, clock: Clock) -> str:
    """Send the copies that operators have approved; what keeps them back, or nothing."""
    with reading(database) as session:
        queues = [queue for queue in outbox.queues(session) if is_of_copies(queue)]
        if not queries.is_any_due(session, queues, clock()):
            return ""
    with open_office(settings, database) as opened:
        office = replace(opened, clock=clock)
        for queue in queues:
            drained = drain(office, queue, repeat_uncertain=rules_of(settings).repeat_uncertain)
            if drained.stopped:
                return drained.stopped
    return ""


def _tell(office: Office, operator: str, notices: deque[Notice]) -> str:
    """Send the notices to the operator; those that are not taken stay for the next round."""
    for notice in tuple(notices):
        try:
            notify(office.transport, office.house, operator, notice, office.clock())
        except Refusal as refusal:
            return f"a notice to the operator: {refusal.unaddressed}"
        with suppress(ValueError):  # newer ones have pushed it out meanwhile
            notices.remove(notice)
    return ""


def _style() -> Response:
    return _file("style.css", "text/css")


def _operator_style() -> Response:
    return _file("operator.css", "text/css")


def _icon() -> Response:
    return _file("icon.svg", "image/svg+xml")


def _file(name: str, media_type: str) -> Response:
    text = files("paperboy.web").joinpath("templates", name).read_text(encoding="utf-8")
    return Response(text, media_type=media_type, headers={"Cache-Control": "max-age=86400"})


def _robots() -> Response:
    return PlainTextResponse("User-agent: *\nAllow: /\n")  # pages with tokens say noindex themselves


def _health(desk: AtDesk) -> Response:
    with desk.database.sessions() as session:
        session.execute(text("SELECT 1"))
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
