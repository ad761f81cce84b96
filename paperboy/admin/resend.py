"""Resends: a form, the plan of what it would send, and the copies once the plan is approved."""

from collections import Counter
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from core.audit_log import Action, record_action
from core.database import read_only
from core.errors import PaperboyError
from core.frequencies import Frequency
from core.languages import Language
from core.slots import resend_id_of, resend_slot
from delivery import queries
from delivery.models import EditionRow, Resend
from issues.queries import all_issues
from mailings.resend.execute import enqueue
from mailings.resend.plan import ResendPlan, plan_resend
from mailings.resend.request import MAX_REASON_LENGTH, ResendError, ResendGroup, ResendRequest
from paperboy.admin.auth import HOME, FromOurPage, SignedIn
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep, WebContext
from subscribers.addresses import clean_line
from subscribers.choices import parse_choice

router = APIRouter(prefix=HOME, include_in_schema=False)

PLAN_CHANGED = "The plan has changed since it was shown: look at it again."


class ResendForm:
    """What the form asks for, as it was filled in."""

    def __init__(
        self,
        issue: Annotated[str, Form(max_length=20)] = "",
        delivery: Annotated[str, Form(max_length=18, pattern=r"^\d*$")] = "",
        correction: Annotated[bool, Form()] = False,
        to: Annotated[str, Form(max_length=320)] = "",
        group: Annotated[list[str], Form(max_length=len(ResendGroup))] = [],  # noqa: B006  never changed
        language: Annotated[str, Form(max_length=10)] = "",
        frequency: Annotated[str, Form(max_length=10)] = "",
        reason: Annotated[str, Form(max_length=MAX_REASON_LENGTH)] = "",
    ) -> None:
        self.issue, self.to, self.reason = issue.strip(), to.strip(), reason.strip()
        self.delivery = int(delivery) if delivery else None
        self.is_correction = correction
        self.groups = tuple(group)
        self.language, self.frequency = language, frequency

    def request(self) -> ResendRequest:
        """The request.

        Raises:
            ResendError, AccountError: a group, language or frequency does not exist.
        """
        unknown = [group for group in self.groups if group not in list(ResendGroup)]
        if unknown:
            raise ResendError(f"there is no group {unknown[0]!r}: there are {', '.join(ResendGroup)}")
        return ResendRequest(
            issue=self.issue,
            delivery=self.delivery,
            is_correction=self.is_correction,
            to=self.to,
            groups=tuple(map(ResendGroup, self.groups)),
            language=parse_choice(Language, self.language) if self.language else None,
            frequency=parse_choice(Frequency, self.frequency) if self.frequency else None,
            reason=self.reason,
        )


FilledForm = Annotated[ResendForm, Depends()]


@router.get("/resend")
def show_form(
    request: Request,
    context: ContextDep,
    operator: SignedIn,
    issue: str = "",
    delivery: str = "",
    to: Annotated[str, Query(max_length=320)] = "",
) -> Response:
    """The form: what, to whom and why."""
    is_id = delivery.isdecimal() and len(delivery) < 19
    form = ResendForm(issue=issue, delivery=delivery if is_id else "", to=to, group=[])
    return _form_page(request, context, operator, form)


@router.post("/resend", dependencies=[FromOurPage])
def show_plan(request: Request, context: ContextDep, operator: SignedIn, form: FilledForm) -> Response:
    """Who would get what. Nothing is stored or sent."""
    plan = _plan(context, form)
    if isinstance(plan, str):
        return _form_page(request, context, operator, form, fault=plan, status=409)
    return _plan_page(request, operator, form, plan)


@router.post("/resend/send", dependencies=[FromOurPage])
def send(
    request: Request,
    context: ContextDep,
    operator: SignedIn,
    form: FilledForm,
    fingerprint: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Put the copies into the outbox if the plan is the one that was shown. The background worker sends them."""
    plan = _plan(context, form)
    if isinstance(plan, str):
        return _form_page(request, context, operator, form, fault=plan, status=409)
    if plan.fingerprint != fingerprint:
        return _plan_page(request, operator, form, plan, fault=PLAN_CHANGED, status=409)
    slot = enqueue(
        context.database.sessions,
        plan,
        asked_by=operator.name,
        domain=context.identity.domain,
        now=context.clock(),
    )
    resend_id = resend_id_of(slot)
    with context.database.sessions.begin() as session:
        target, detail = f"resend {resend_id}", {"reason": plan.terms["reason"], "copies": plan.copies}
        record_action(session, operator.name, Action.RESEND, target, context.clock(), **detail)
    context.wake()
    return RedirectResponse(f"{HOME}/resends/{resend_id}", status_code=303)


@router.get("/resends/{resend_id}")
def show_resend(
    request: Request,
    resend_id: Annotated[int, Path(ge=0, le=2**63 - 1)],
    context: ContextDep,
    operator: SignedIn,
) -> Response:
    """Who asked for copies, why, and what has become of them."""
    with read_only(context.database) as session:
        resend = session.get(Resend, resend_id)
        if resend is None:
            raise HTTPException(404)
        slot = resend_slot(resend.id)
        states: Counter[str] = Counter()
        for (state, _), count in queries.count_slot_by_reason(session, slot).items():
            states[state] += count
        return render_admin(
            request,
            "resend.html",
            operator=operator,
            resend=resend,
            slot=slot,
            states=states,
        )


def _plan(context: WebContext, form: ResendForm) -> ResendPlan | str:
    """The plan, or why there is none."""
    if not clean_line(form.reason, MAX_REASON_LENGTH):
        return "Say why: the reason is kept with the request."
    try:
        with read_only(context.database) as session:
            return plan_resend(session, form.request(), context.identity, context.clock())
    except PaperboyError as error:
        return str(error)


def _form_page(
    request: Request,
    context: WebContext,
    operator: SignedIn,
    form: ResendForm,
    fault: str = "",
    status: int = 200,
) -> Response:
    with read_only(context.database) as session:
        return render_admin(
            request,
            "resend_form.html",
            status=status,
            operator=operator,
            wanted=form,
            fault=fault,
            issues=[issue for issue in all_issues(session) if issue.revision],
            groups=list(ResendGroup),
            languages=list(Language),
            frequencies=list(Frequency),
            reason_length=MAX_REASON_LENGTH,
        )


def _plan_page(
    request: Request,
    operator: SignedIn,
    form: ResendForm,
    plan: ResendPlan,
    fault: str = "",
    status: int = 200,
) -> Response:
    return render_admin(
        request,
        "resend_plan.html",
        status=status,
        operator=operator,
        plan=plan.as_json(),
        addresses=[_preview_url(plan, edition.row) for edition in plan.editions],
        is_empty=plan.is_empty,
        fields=_form_fields(form),
        fingerprint=plan.fingerprint,
        fault=fault,
        groups=ResendGroup,
    )


def _preview_url(plan: ResendPlan, edition: EditionRow) -> str:
    """Where a mail of the plan can be looked at."""
    if "delivery" in plan.terms:
        return f"{HOME}/editions/{edition.id}"
    parameters = {
        "papers": ",".join(map(str, edition.papers)),
        "detail": edition.detail,
        "correction": plan.terms["correction"],
    }
    return f"{HOME}/copies/{plan.terms['issue']}/{edition.language}?{urlencode(parameters)}"


def _form_fields(form: ResendForm) -> list[tuple[str, Any]]:
    """The form as the hidden fields of another one."""
    fields: list[tuple[str, Any]] = [
        ("issue", form.issue),
        ("delivery", form.delivery),
        ("correction", form.is_correction),
        ("to", form.to),
        *(("group", group) for group in form.groups),
        ("language", form.language),
        ("frequency", form.frequency),
        ("reason", form.reason),
    ]
    return [(name, value) for name, value in fields if value]
