"""The JSON API, for sign-up forms on other sites."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from paperboy.web.deps import ContextDep, Origin
from paperboy.web.signup import accept_signup
from subscribers.addresses import AccountError, normal_address
from subscribers.choices import Choices

router = APIRouter(prefix="/api")


class SignUp(BaseModel):
    """Who wants which mails."""

    email: str = Field(max_length=320, examples=["minji@example.org"])
    language: Language
    frequency: Frequency
    detail: Detail = Detail.FULL


class Answer(BaseModel):
    """What was done, in one line."""

    detail: str


@router.post(
    "/subscribers",
    status_code=202,
    responses={
        400: {"model": Answer, "description": "The body is not JSON."},
        413: {"model": Answer, "description": "The body is over 64 KB."},
        429: {"model": Answer, "description": "Too many sign-ups."},
        503: {"model": Answer, "description": "Away for a moment: try again after `Retry-After` seconds."},
    },
)
def sign_up(wanted: SignUp, context: ContextDep, origin: Origin) -> Answer:
    """Take a sign-up: if the address can be mailed, a mail asks its owner to confirm."""
    try:
        address = normal_address(wanted.email)
    except AccountError:
        return JSONResponse(  # type: ignore[return-value]
            {
                "detail": [
                    {"loc": ["body", "email"], "msg": "no address that can be mailed", "type": "value_error"}
                ]
            },
            status_code=422,
        )
    choices = Choices(wanted.language, wanted.frequency, wanted.detail)
    if accept_signup(context, address, choices, origin):
        return JSONResponse({"detail": "too many sign-ups; try again later"}, status_code=429)  # type: ignore[return-value]
    return Answer(detail="a mail asks to confirm")
