"""Signing up: the form, what follows it, and the confirmation."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from emails.letters import OperatorNotice
from issues.queries import published_issues, titles_by_topic
from mailings import account_mails
from paperboy.web.deps import ContextDep, Origin, TopicId, WebContext
from paperboy.web.front import latest_issue, read_facts
from paperboy.web.i18n import page_language
from paperboy.web.pages import message_page, redirect, render_page
from subscribers.addresses import AccountError, normal_address
from subscribers.choices import Choices, parse_choice
from subscribers.models import RequestPurpose, SignupRequest
from subscribers.tokens import LinkPurpose

router = APIRouter(include_in_schema=False)

LATEST_ISSUES = 3  # on the front page
JUST_CONFIRMED = timedelta(hours=1)  # after which the page of the confirmation does not lead to the settings

# What the form proposes; the language is the page's.
FIRST_CHOICE: Mapping[str, str] = MappingProxyType(
    {"language": "", "frequency": Frequency.WEEKLY, "detail": Detail.FULL}
)

FormText = Annotated[str, Form(max_length=400)]


@router.get("/")
def show_form(request: Request, context: ContextDep) -> Response:
    """The form, and the latest issues."""
    return _form(request, context)


@router.post("/subscribe")
def subscribe(
    request: Request,
    context: ContextDep,
    origin: Origin,
    email: FormText = "",
    language: FormText = "",
    frequency: FormText = "",
    detail: FormText = Detail.FULL,
    website: FormText = "",
) -> Response:
    """Store a sign-up request. The page is the same for every address, so it does not tell who subscribes.

    `website` is a honeypot: people do not see this field, and robots fill it in.
    """
    chosen = {"language": language, "frequency": frequency, "detail": detail}
    try:
        choices = Choices(
            parse_choice(Language, language), parse_choice(Frequency, frequency), parse_choice(Detail, detail)
        )
    except AccountError:
        return _form(request, context, fault="choose", email=email, chosen=chosen)
    try:
        address = normal_address(email)
    except AccountError:
        return _form(request, context, fault="bad_address", email=email, chosen=chosen)
    if not website:
        exceeded = accept_signup(context, address, choices, origin)
        if exceeded:
            return message_page(request, "too_many", status=429)
    return redirect("/sent", request)


def accept_signup(context: WebContext, address: str, choices: Choices, origin: str) -> str:
    """Store a sign-up request for the background worker to answer. Returns the limit that it exceeds, or nothing.

    Nothing here depends on who has the address, so neither the answer nor its time reveals it.
    """
    request = SignupRequest(
        email=address,
        language=choices.language,
        frequency=choices.frequency,
        detail=choices.detail,
        network=origin,
        received_at=context.clock(),
    )
    return _store(context, request)


def _store(context: WebContext, request: SignupRequest) -> str:
    exceeded = context.signup_limits.hit(request.network, request.email.rpartition("@")[2])
    if exceeded == "total" and context.signup_limits.is_first_today("spike"):
        context.notify(_spike_notice(context))
    if exceeded:
        return exceeded
    with context.database.sessions.begin() as session:
        session.add(request)
    context.wake()
    return ""


def _spike_notice(context: WebContext) -> OperatorNotice:
    limit = context.settings.sign_ups_in_all
    return OperatorNotice(
        what="too many sign-ups",
        cause=f"More than {limit} sign-ups came in; others are turned away for now.",
        remedy="If they are real, raise PAPERBOY_SIGN_UPS_IN_ALL and start the pages anew; else wait.",
        facts={"time": f"{context.local_now:%Y-%m-%d %H:%M}"},
    )


@router.post("/settings-link")
def ask_for_settings_link(
    request: Request, context: ContextDep, origin: Origin, email: FormText = "", website: FormText = ""
) -> Response:
    """Mail a subscriber the link to their settings. The page is the same for every address."""
    return _ask(request, context, origin, email, website, RequestPurpose.SETTINGS_LINK)


@router.post("/archive/{topic_id}/copy")
def ask_for_copy(
    request: Request,
    topic_id: TopicId,
    context: ContextDep,
    origin: Origin,
    email: FormText = "",
    website: FormText = "",
) -> Response:
    """Mail a subscriber an issue of the archive. The page is the same for every address."""
    return _ask(request, context, origin, email, website, RequestPurpose.ISSUE_COPY, topic_id)


def _ask(
    request: Request,
    context: WebContext,
    origin: str,
    email: str,
    website: str,
    purpose: RequestPurpose,
    topic_id: int | None = None,
) -> Response:
    """Store what only a subscriber gets, for the background worker to answer. `website` is the honeypot."""
    try:
        address = normal_address(email)
    except AccountError:
        return _form(request, context, fault="bad_address", email=email)
    wanted = SignupRequest(
        email=address,
        language=Language.BOTH,
        frequency=Frequency.WEEKLY,
        network=origin,
        purpose=purpose,
        topic_id=topic_id,
        received_at=context.clock(),
    )
    if not website and _store(context, wanted):
        return message_page(request, "too_many", status=429)
    return redirect("/asked", request)


@router.get("/asked")
def show_asked(request: Request) -> Response:
    """A mail is on its way if the address is subscribed."""
    return message_page(request, "asked")


@router.get("/sent")
def show_sent(request: Request) -> Response:
    """Check your mail."""
    return message_page(request, "sent")


@router.get("/c/{token}")
def show_confirmation(request: Request, token: str, context: ContextDep) -> Response:
    """A button to confirm with; after that, that it is done."""
    with context.database.sessions() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.CONFIRM, token)
        confirmed_at = subscriber.confirmed_at
        is_fresh = confirmed_at and confirmed_at + JUST_CONFIRMED > context.clock()
        preferences = f"/p/{context.token(LinkPurpose.PREFERENCES, subscriber)}" if is_fresh else ""
        return render_page(
            request,
            "confirm.html",
            subscriber_language=subscriber.language,
            subscriber=subscriber,
            action=f"/c/{token}",
            preferences=preferences,
        )


@router.post("/c/{token}")
def confirm(request: Request, token: str, context: ContextDep, origin: Origin) -> Response:
    """Begin the subscription."""
    with context.database.sessions.begin() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.CONFIRM, token)
        try:
            account_mails.confirm(
                session, subscriber, context.identity, context.rules, context.clock(), origin=origin
            )
        except AccountError:
            return message_page(request, "confirm_late", status=410, subscriber_language=subscriber.language)
    context.wake()
    return redirect(f"/c/{token}", request)


def _form(
    request: Request,
    context: WebContext,
    *,
    fault: str = "",
    email: str = "",
    chosen: Mapping[str, str] = FIRST_CHOICE,
) -> Response:
    with context.database.sessions() as session:
        issues = published_issues(session, LATEST_ISSUES + 1)
        return render_page(
            request,
            "subscribe.html",
            status=400 if fault else 200,
            fault=fault,
            email=email,
            chosen=chosen,
            facts=read_facts(session, context),
            latest=latest_issue(issues[0], page_language(request)) if issues else None,
            issues=issues[1:],
            titles=titles_by_topic(session),
        )
