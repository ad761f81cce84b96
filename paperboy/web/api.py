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

    email: str = Field(
        max_length=320, examples=["minji@example.org"], description="The address, whose owner must confirm."
    )
    language: Language = Field(description="The language of the mails.")
    frequency: Frequency = Field(description="How often mails come.")
    detail: Detail = Field(
        default=Detail.FULL, description="Whether mails have texts, or only the list of papers."
    )


class Answer(BaseModel):
    """What was done, in one line."""

    detail: str


class Mistake(BaseModel):
    """What is wrong with one field."""

    loc: list[str | int] = Field(description="Where it is, such as `body` and `email`.")
    msg: str = Field(description="What is wrong, for people.")
    type: str = Field(description="What is wrong, for programs.")


class Mistakes(BaseModel):
    """What is wrong with a request."""

    detail: list[Mistake]


@router.post(
    "/subscribers",
    status_code=202,
    response_description="A mail asks the owner of the address to confirm, if it can be mailed.",
    responses={
        400: {"model": Answer, "description": "The body cannot be read."},
        413: {"model": Answer, "description": "The body is over 64 KB."},
        422: {
            "model": Mistakes,
            "description": "The body is not JSON, or a field is missing or cannot be used.",
        },
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
