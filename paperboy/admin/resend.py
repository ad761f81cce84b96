"""Sending again: a form, the plan of what it would send, and the copies once the plan is approved."""

from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from core.database import reading
from delivery import queries
from delivery.models import EditionRow, Resend
from emails.edition import EmptyIssueError
from issues import store
from issues.store import StoreError
from mailings.resend.eligibility import GROUPS, Group, RequestError
from mailings.resend.execute import book
from mailings.resend.plan import REASON_LENGTH, Plan, plan, slot_of_copies
from mailings.resend.plan import Request as Wanted
from paperboy.admin.auth import HOME, FromOurPage, SignedIn
from paperboy.admin.pages import show
from paperboy.web.deps import AtDesk, Desk
from subscribers.accounts import AccountError, clean_line
from subscribers.models import FREQUENCIES, LANGUAGES

router = APIRouter(prefix=HOME, include_in_schema=False)

CHANGED = "The plan has changed since it was shown: look at it again."


def wanted_of(
    issue: Annotated[str, Form(max_length=20)] = "",
    delivery: Annotated[str, Form(max_length=18, pattern=r"^\d*$")] = "",
    correction: Annotated[bool, Form()] = False,
    to: Annotated[str, Form(max_length=320)] = "",
    group: Annotated[list[str], Form(max_length=len(GROUPS))] = [],  # noqa: B006  never changed
    language: Annotated[str, Form(max_length=10)] = "",
    frequency: Annotated[str, Form(max_length=10)] = "",
    reason: Annotated[str, Form(max_length=REASON_LENGTH)] = "",
) -> Wanted:
    """What the form asks for."""
    return Wanted(
        issue=issue.strip(),
        delivery=int(delivery) if delivery else None,
        is_correction=correction,
        to=to.strip(),
        groups=tuple(cast("list[Group]", group)),
        language=language,
        frequency=frequency,
        reason=reason.strip(),
    )


WantedBySomebody = Annotated[Wanted, Depends(wanted_of)]


@router.get("/resend")
def show_form(
    request: Request, desk: AtDesk, operator: SignedIn, issue: str = "", delivery: str = ""
) -> Response:
    """The form: what, to whom and why."""
    wanted = Wanted(
        issue=issue, delivery=int(delivery) if delivery.isdecimal() and len(delivery) < 19 else None
    )
    return _form(request, desk, operator, wanted)


@router.post("/resend", dependencies=[FromOurPage])
def show_plan(request: Request, desk: AtDesk, operator: SignedIn, wanted: WantedBySomebody) -> Response:
    """Who would get what; nothing is stored or sent."""
    made = _plan(desk, wanted)
    if isinstance(made, str):
        return _form(request, desk, operator, wanted, fault=made, status=409)
    return _shown(request, operator, wanted, made)


@router.post("/resend/send", dependencies=[FromOurPage])
def send(
    request: Request,
    desk: AtDesk,
    operator: SignedIn,
    wanted: WantedBySomebody,
    fingerprint: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Put the copies into the outbox, if the plan is the one that was shown; the postman sends them at once."""
    made = _plan(desk, wanted)
    if isinstance(made, str):
        return _form(request, desk, operator, wanted, fault=made, status=409)
    if made.fingerprint != fingerprint:
        return _shown(request, operator, wanted, made, fault=CHANGED, status=409)
    slot = book(
        desk.database.sessions,
        made,
        asked_by="an operator on the page",
        domain=desk.house.domain,
        now=desk.clock(),
    )
    desk.nudge()
    return RedirectResponse(f"{HOME}/resends/{slot.partition(':')[2]}", status_code=303)


@router.get("/resends/{resend_id}")
def show_resend(
    request: Request, resend_id: Annotated[int, Path(ge=0, le=2**63 - 1)], desk: AtDesk, operator: SignedIn
) -> Response:
    """Who asked for copies, why, and what has become of them."""
    with reading(desk.database) as session:
        resend = session.get(Resend, resend_id)
        if resend is None:
            raise HTTPException(404)
        states: Counter[str] = Counter()
        for (state, _), count in queries.account_of(session, slot_of_copies(resend)).items():
            states[state] += count
        return show(
            request,
            "resend.html",
            operator=operator,
            resend=resend,
            slot=slot_of_copies(resend),
            states=states,
            local=desk.settings.local,
        )


def _plan(desk: Desk, wanted: Wanted) -> Plan | str:
    """The plan, or why there is none."""
    if not clean_line(wanted.reason, REASON_LENGTH):
        return "Say why: the reason is kept with the request."
    try:
        with reading(desk.database) as session:
            return plan(session, wanted, desk.house, desk.clock())
    except (RequestError, StoreError, EmptyIssueError, AccountError) as fault:
        return str(fault)


def _form(
    request: Request, desk: Desk, operator: SignedIn, wanted: Wanted, fault: str = "", status: int = 200
) -> Response:
    with reading(desk.database) as session:
        return show(
            request,
            "resending.html",
            status=status,
            operator=operator,
            wanted=wanted,
            fault=fault,
            issues=[issue for issue in store.every(session) if issue.revision],
            groups=GROUPS,
            languages=LANGUAGES,
            frequencies=FREQUENCIES,
            reason_length=REASON_LENGTH,
        )


def _shown(
    request: Request, operator: SignedIn, wanted: Wanted, made: Plan, fault: str = "", status: int = 200
) -> Response:
    return show(
        request,
        "plan.html",
        status=status,
        operator=operator,
        plan=made.as_json(),
        addresses=[_address(made, batch.edition) for batch in made.batches],
        is_empty=made.is_empty,
        fields=_fields(wanted),
        fingerprint=made.fingerprint,
        fault=fault,
        groups=GROUPS,
    )


def _address(made: Plan, edition: EditionRow) -> str:
    """Where a mail of the plan can be looked at."""
    if "delivery" in made.terms:
        return f"{HOME}/editions/{edition.id}"
    asked = {"papers": ",".join(map(str, edition.papers)), "correction": made.terms["correction"]}
    return f"{HOME}/copies/{made.terms['issue']}/{edition.language}?{urlencode(asked)}"


def _fields(wanted: Wanted) -> list[tuple[str, Any]]:
    """The request as the fields of a form."""
    names = {"is_correction": "correction", "groups": "group"}
    values = {names.get(name, name): value for name, value in asdict(wanted).items() if value}
    return [(name, one) for name, value in values.items() for one in (value if name == "group" else [value])]
