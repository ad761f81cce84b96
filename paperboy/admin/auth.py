"""The way in: a token from the settings, a signed session, and a proof in each form that a page of ours sent it."""

import hmac
import logging
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.exceptions import HTTPException

from paperboy.admin.pages import show
from paperboy.web.deps import AtDesk, Desk, Origin

logger = logging.getLogger(__name__)

HOME = "/operator"
LOGIN = f"{HOME}/login"
COOKIE = "paperboy_operator"
HOURS = 12  # that a session lasts
WRONG_FORM = "This form is too old, or not one of ours."


class NotSignedInError(Exception):
    """The page is for operators who have signed in."""


class RefusedError(Exception):
    """What an operator asked for is not done; `path` is the page to look at before asking again."""

    def __init__(self, reason: str, path: str, status: int) -> None:
        super().__init__(reason)
        self.path, self.status = path, status


@dataclass(frozen=True)
class Operator:
    """Somebody who has signed in; `proof` stands in each form of their session."""

    session: str
    proof: str


def _signer(desk: Desk, purpose: str) -> URLSafeTimedSerializer:
    """Signs for one purpose; another token in the settings ends all that was signed.

    Raises:
        HTTPException: there is no token, and so no page for operators.
    """
    token = desk.settings.operator_token
    if token is None:
        raise HTTPException(404)
    return URLSafeTimedSerializer([desk.house.key + token.get_secret_value().encode()], salt=purpose)


def operator_of(request: Request, desk: AtDesk) -> Operator:
    """Who asks.

    Raises:
        NotSignedInError: nobody who has signed in, or too long ago.
    """
    try:
        session = _signer(desk, "session").loads(request.cookies.get(COOKIE, ""), max_age=HOURS * 3600)
    except BadSignature:
        raise NotSignedInError from None
    return Operator(str(session), str(_signer(desk, "form").dumps(session)))


SignedIn = Annotated[Operator, Depends(operator_of)]


def check_form(operator: SignedIn, desk: AtDesk, proof: Annotated[str, Form(max_length=300)] = "") -> None:
    """Let a form pass that a page of the same session holds.

    Raises:
        RefusedError: another page sent it.
    """
    try:
        session = str(_signer(desk, "form").loads(proof, max_age=HOURS * 3600))
    except BadSignature:
        session = ""
    if not hmac.compare_digest(session.encode(), operator.session.encode()):
        raise RefusedError(WRONG_FORM, HOME, 403)


FromOurPage = Depends(check_form)
router = APIRouter(prefix=HOME, include_in_schema=False)


@router.get("/login")
def show_login(request: Request, desk: AtDesk) -> Response:
    """The form for the token."""
    _signer(desk, "session")
    return show(request, "login.html", fault="")


@router.post("/login")
def sign_in(
    request: Request, desk: AtDesk, origin: Origin, token: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    """Begin a session, if the token is the one of the settings; only so many tries are taken."""
    signer = _signer(desk, "session")
    if not desk.logins.take(origin):
        logger.warning("too many tries to sign in as operator from %s", origin)
        return show(request, "login.html", fault="Too many tries. Wait a few minutes.", status=429)
    known = desk.settings.operator_token
    if known is None or not hmac.compare_digest(token.encode(), known.get_secret_value().encode()):
        logger.warning("a wrong token to sign in as operator from %s", origin)
        return show(request, "login.html", fault="This is not the token.", status=403)
    answer = RedirectResponse(HOME, status_code=303)
    answer.set_cookie(
        COOKIE,
        str(signer.dumps(secrets.token_hex(16))),
        max_age=HOURS * 3600,
        path=HOME,
        secure=desk.settings.base_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )
    return answer


@router.post("/logout", dependencies=[FromOurPage])
def sign_out() -> Response:
    """End the session in this browser."""
    answer = RedirectResponse(LOGIN, status_code=303)
    answer.delete_cookie(COOKIE, path=HOME)
    return answer


def to_login(request: Request, _: Exception) -> Response:
    """Whoever has not signed in is shown where; a form is refused, so that nothing is done unseen."""
    if request.method == "GET":
        return RedirectResponse(LOGIN, status_code=303)
    return show(request, "login.html", fault="Sign in first: nothing was done.", status=403)


def refuse(request: Request, fault: Exception) -> Response:
    """Say why nothing was done, and where to go on."""
    assert isinstance(fault, RefusedError)  # noqa: S101  Starlette's handlers are typed for any
    return show(request, "refused.html", fault=str(fault), back=fault.path, status=fault.status)
