"""The editions of what is sent again: copies, and corrections with what changed since the text was mailed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from core.slots import resend_edition_slot
from delivery.editions import edition_row
from delivery.models import EditionRow
from emails.changes import has_changes
from emails.choose import edition_to_resend
from emails.content import MailSpec
from emails.identity import MailIdentity
from emails.kinds import MailKind
from emails.message import longest_placeholders
from emails.rendering.render import render
from issues.arrivals import Arrival
from issues.models import Issue
from issues.queries import texts_at
from mailings.resend.paper_groups import PaperGroup, papers_of_groups, read_until


def resend_spec(topic_id: int, kind: MailKind, language: Language, detail: Detail) -> MailSpec:
    """Which mail a copy or a correction of an issue is."""
    return MailSpec(resend_edition_slot(topic_id), language, Frequency.WEEKLY, kind, detail)


def edition_of_groups(
    session: Session,
    issue: Issue,
    groups: Sequence[PaperGroup],
    spec: MailSpec,
    identity: MailIdentity,
    now: datetime,
) -> EditionRow:
    """The edition of some of an issue's papers, rendered and not stored yet."""
    if spec.kind == MailKind.CORRECTION:
        papers = _with_old_texts(session, issue, groups)
    else:
        papers = papers_of_groups(issue, groups)
    return resend_edition(papers, spec, identity, now)


def languages_with_changes(
    session: Session, issue: Issue, groups: Sequence[PaperGroup]
) -> tuple[Language, ...]:
    """The languages whose mails show something that the corrections of these papers changed.

    A mail does not show every change, a heading for example. If no mail shows one, or if an old text is not known, the
    correction concerns all languages.
    """
    papers = _with_old_texts(session, issue, groups)
    if any(paper.before is None for paper in papers):
        return tuple(Language)
    specs = {
        language: resend_spec(issue.topic_id, MailKind.CORRECTION, language, Detail.FULL)
        for language in Language
    }
    shown = (language for language, spec in specs.items() if has_changes(edition_to_resend(papers, spec)))
    return tuple(shown) or tuple(Language)


def _with_old_texts(session: Session, issue: Issue, groups: Sequence[PaperGroup]) -> list[Arrival]:
    """The papers of the groups, each with the text that subscribers got of it first."""
    before = texts_at(issue, read_until(session, issue, groups))
    return [replace(paper, before=before.get(paper.number)) for paper in papers_of_groups(issue, groups)]


def resend_edition(
    papers: Sequence[Arrival], spec: MailSpec, identity: MailIdentity, now: datetime
) -> EditionRow:
    """The edition of some papers of an issue that are sent again, rendered and not stored yet."""
    edition = edition_to_resend(papers, spec)
    rendered = render(edition, identity, longest=longest_placeholders(identity))
    return edition_row(spec, rendered.content, now, edition=edition)
