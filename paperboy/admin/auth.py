"""Signing in: a token for each operator, a signed session cookie, and a signed proof (CSRF token) in each form."""

import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.exceptions import HTTPException

from core.audit_log import Action, record_action
from core.errors import PaperboyError
from core.operator_sessions import end_session, has_ended
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep, Origin, WebContext

logger = logging.getLogger(__name__)

HOME = "/operator"
LOGIN = f"{HOME}/login"
COOKIE = "paperboy_operator"
SESSION_LIFETIME = timedelta(hours=12)
SESSION_SECONDS = int(SESSION_LIFETIME.total_seconds())
INVALID_FORM = "This form is too old, or not one of ours."


class NotSignedInError(PaperboyError):
    """The page is for operators who have signed in."""


class ForbiddenActionError(PaperboyError):
    """What an operator asked for is not done. `path` is the page to look at before asking again."""

    def __init__(self, reason: str, path: str, status: int) -> None:
        super().__init__(reason)
        self.path, self.status = path, status


@dataclass(frozen=True)
class Operator:
    """Somebody who has signed in, by name; each form of their `session` contains the `proof`."""

    name: str
    session: str
    proof: str


def _signer(context: WebContext, name: str, purpose: str) -> URLSafeTimedSerializer:
    """Signs for one operator and one purpose. Another token in the settings ends everything that was signed."""
    token = context.settings.operators[name]
    return URLSafeTimedSerializer([context.identity.key + token.encode()], salt=f"{purpose} {name}")


def _require_operators(context: ContextDep) -> None:
    """Show the pages only if there are tokens for operators.

    Raises:
        HTTPException: there are none.
    """
    if not context.settings.operators:
        raise HTTPException(404)


def operator_of(request: Request, context: ContextDep) -> Operator:
    """The operator who sent the request.

    Raises:
        NotSignedInError: nobody has signed in, or too long ago.
        HTTPException: there are no pages for operators.
    """
    _require_operators(context)
    cookie = request.cookies.get(COOKIE, "")
    for name in context.settings.operators:
        try:
            session = str(_signer(context, name, "session").loads(cookie, max_age=SESSION_SECONDS))
        except BadSignature:
            continue
        if has_ended(context.database, session):
            break
        return Operator(name, session, str(_signer(context, name, "form").dumps(session)))
    raise NotSignedInError("sign in first")


SignedIn = Annotated[Operator, Depends(operator_of)]


def check_proof(
    operator: SignedIn, context: ContextDep, proof: Annotated[str, Form(max_length=300)] = ""
) -> None:
    """Accept a form only from a page of the same session.

    Raises:
        ForbiddenActionError: another page sent it.
    """
    try:
        signer = _signer(context, operator.name, "form")
        session = str(signer.loads(proof, max_age=SESSION_SECONDS))
    except BadSignature:
        session = ""
    if not hmac.compare_digest(session.encode(), operator.session.encode()):
        raise ForbiddenActionError(INVALID_FORM, HOME, 403)


FromOurPage = Depends(check_proof)
router = APIRouter(prefix=HOME, include_in_schema=False)


@router.get("/login", dependencies=[Depends(_require_operators)])
def show_login(request: Request) -> Response:
    """The form for the token."""
    return render_admin(request, "login.html", fault="")


@router.post("/login", dependencies=[Depends(_require_operators)])
def sign_in(
    request: Request,
    context: ContextDep,
    origin: Origin,
    token: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Begin a session of the operator whose token it is. The number of attempts is limited."""
    if not context.login_limit.hit(origin):
        logger.warning("too many attempts to sign in as operator from %s", origin)
        return render_admin(request, "login.html", fault="Too many tries. Wait a few minutes.", status=429)
    name = _owner_of(token, context)
    if name is None:
        logger.warning("wrong token to sign in as operator from %s", origin)
        return render_admin(request, "login.html", fault="This is not the token.", status=403)
    with context.database.sessions.begin() as session:
        record_action(session, name, Action.SIGN_IN, "", context.clock(), network=origin)
    answer = RedirectResponse(HOME, status_code=303)
    answer.set_cookie(
        COOKIE,
        str(_signer(context, name, "session").dumps(secrets.token_hex(16))),
        max_age=SESSION_SECONDS,
        path=HOME,
        secure=context.settings.base_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )
    return answer


def _owner_of(token: str, context: WebContext) -> str | None:
    """The name of the operator with a token. Every token is compared, so that the time says nothing."""
    owners = [
        name
        for name, known in context.settings.operators.items()
        if hmac.compare_digest(token.encode(), known.encode())
    ]
    return owners[0] if owners else None


@router.post("/logout", dependencies=[FromOurPage])
def sign_out(context: ContextDep, operator: SignedIn) -> Response:
    """End the session, here and wherever else its cookie is."""
    with context.database.sessions.begin() as session:
        record_action(session, operator.name, Action.SIGN_OUT, "", context.clock())
        end_session(session, operator.session, context.clock(), SESSION_LIFETIME)
    answer = RedirectResponse(LOGIN, status_code=303)
    answer.delete_cookie(COOKIE, path=HOME)
    return answer


def to_login(request: Request, _: Exception) -> Response:
    """Lead to the login. A form is refused instead, so that the operator sees that nothing was done."""
    if request.method == "GET":
        return RedirectResponse(LOGIN, status_code=303)
    return render_admin(request, "login.html", fault="Sign in first: nothing was done.", status=403)


def show_error(request: Request, error: Exception) -> Response:
    """Say why nothing was done, and which page to look at."""
    assert isinstance(error, ForbiddenActionError)  # noqa: S101  Starlette types handlers for any exception
    return render_admin(request, "refused.html", fault=str(error), back=error.path, status=error.status)
