"""The JSON interface, for sign-up forms on other sites."""

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from paperboy.web.deps import AtDesk, Origin
from paperboy.web.signup import take_application
from subscribers.accounts import AccountError, normal_address

router = APIRouter(prefix="/api")


class SignUp(BaseModel):
    """Who wants what."""

    email: str = Field(max_length=320, examples=["minji@example.org"])
    language: Literal["ko", "en", "both"]
    frequency: Literal["weekly", "daily"]


class Answer(BaseModel):
    """What was done, in one line."""

    detail: str


@router.post(
    "/subscribers",
    status_code=202,
    responses={
        400: {"model": Answer, "description": "The body is no JSON text."},
        413: {"model": Answer, "description": "The body is over 64 KB."},
        429: {"model": Answer, "description": "Too many sign-ups."},
        503: {"model": Answer, "description": "Away for a moment: try again after `Retry-After` seconds."},
    },
)
def sign_up(wanted: SignUp, desk: AtDesk, origin: Origin) -> Answer:
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
    if take_application(desk, address, wanted.language, wanted.frequency, origin):
        return JSONResponse({"detail": "too many sign-ups; try again later"}, status_code=429)  # type: ignore[return-value]
    return Answer(detail="a mail asks to confirm")
