"""The stored papers of an issue: added, withdrawn, restored, archived, and in which order they arrive."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.locks import advisory_lock
from issues.diff import MIN_LIKENESS, IssueDiff, likeness
from issues.models import Issue, Paper
from issues.parse.content import PaperContent
from issues.parse.titles import title_key
from issues.search import search_text
from issues.serialize import paper_content, paper_to_json

MAX_ABSENCE = timedelta(weeks=8)  # of a withdrawn paper; one that comes back later is for the archive only


def apply_papers(
    session: Session,
    issue: Issue,
    papers: Sequence[PaperContent],
    changes: IssueDiff,
    now: datetime,
    *,
    is_edit: bool = True,
) -> IssueDiff:
    """Bring the issue's rows to these papers: kept, added, withdrawn, or restored after a withdrawal.

    Without `is_edit` no paper counts as corrected. Returns the changes, with the restored papers told apart.
    """
    advisory_lock(session, "papers")
    number, order = _last(session)
    in_force = [paper for paper in issue.papers if paper.withdrawn_at is None]
    kept = {in_force[index].id for index in changes.pairs if index is not None}
    for paper in in_force:
        paper.withdrawn_at = None if paper.id in kept else now
    withdrawn = [paper for paper in issue.papers if paper.withdrawn_at and paper.id not in kept]
    restored = []
    for position, (index, parsed) in enumerate(zip(changes.pairs, papers, strict=True)):
        row = in_force[index] if index is not None else None
        if row is None and (row := _withdrawn_row(withdrawn, parsed)):
            withdrawn.remove(row)
            restored.append(parsed.name)
            order = _restore(row, order, now)
        elif row is None:
            number, order = number + 1, order + 1
            row = Paper(number=number, arrival_order=order, late=issue.revision > 0, archived=issue.archived)
            issue.papers.append(row)
        elif position in changes.touched and is_edit:
            row.corrected_at = now
        row.position = position
        set_content(row, parsed)
    added = tuple(name for name in changes.added if name not in restored)
    return replace(changes, added=added, restored=tuple(restored))


def set_content(row: Paper, paper: PaperContent) -> None:
    """Store what a paper says, and what lists and the search read of it."""
    row.content, row.search_text = paper_to_json(paper), search_text(paper)
    row.title_ko, row.title_en = paper.title_ko, paper.title_en


def _last(session: Session) -> tuple[int, int]:
    """The highest number and the highest place in the order of arrival so far."""
    number, order = session.execute(select(func.max(Paper.number), func.max(Paper.arrival_order))).one()
    return number or 0, order or 0


def _withdrawn_row(withdrawn: Sequence[Paper], parsed: PaperContent) -> Paper | None:
    """The withdrawn paper that comes back: with the same address and title, or with one of them and like texts."""
    key, title = parsed.key, title_key(parsed.name)
    for row in withdrawn:
        known = paper_content(row)
        same = (known.key == key) + (title_key(known.name) == title)
        if same == 2 or (same == 1 and likeness(known, parsed) >= MIN_LIKENESS):
            return row
    return None


def _restore(row: Paper, order: int, now: datetime) -> int:
    """Put a withdrawn paper in force again, as the next to arrive. Returns the highest place in the order.

    If mails that brought it have been pruned, nobody can tell who has had it, so it keeps its place: whoever is past it
    does not get it again, and whoever is not gets it there.
    """
    is_old = row.withdrawn_at is not None and row.withdrawn_at + MAX_ABSENCE < now
    row.withdrawn_at = None
    if is_old or row.archived:
        row.archived = True
        return order
    if row.pruned_at:
        return order
    row.arrival_order, row.restored_at = order + 1, now
    return order + 1


def withdraw_all(issue: Issue, now: datetime) -> None:
    """Withdraw every paper of an issue whose post is gone."""
    for row in issue.papers:
        row.withdrawn_at = row.withdrawn_at or now


def restore_all(session: Session, issue: Issue, now: datetime) -> None:
    """Restore the papers that were withdrawn when the post was gone, and note that the post is there again."""
    advisory_lock(session, "papers")
    _, order = _last(session)
    gone = [row for row in issue.papers if row.withdrawn_at and row.withdrawn_at == issue.deleted_at]
    for row in gone:
        order = _restore(row, order, now)
    issue.deleted_at, issue.changed_at = None, now


def mail_archived(session: Session, issue: Issue, left_out: Collection[int], now: datetime) -> None:
    """Let an archived issue's papers arrive now, but for those `left_out` (by number).

    Papers stay in the archive of which mails have been pruned, because nobody can tell who has had them.
    """
    advisory_lock(session, "papers")
    _, order = _last(session)
    issue.archived = False
    for row in issue.papers:
        is_for_archive = row.withdrawn_at or row.pruned_at or row.number in left_out
        if row.archived and not is_for_archive:
            order += 1
            row.archived, row.arrival_order, row.restored_at = False, order, now


def take_over_withdrawn(session: Session, issue: Issue, now: datetime) -> None:
    """Let papers that a deleted topic brought go on under this issue, so that each subscriber gets what they lack.

    The row of the deleted topic takes the place of the new one, because deliveries refer to its number.
    """
    is_gone = (Issue.deleted_at.is_not(None), Paper.withdrawn_at == Issue.deleted_at, Issue.id != issue.id)
    rows = session.scalars(select(Paper).join(Issue).where(*is_gone))
    withdrawn = {paper_content(row).work: row for row in rows}
    _, order = _last(session)
    for new in [row for row in issue.papers if row.withdrawn_at is None]:
        old = withdrawn.get(paper_content(new).work)
        if old:
            old.issue, old.position = issue, new.position
            set_content(old, paper_content(new))
            order = _restore(old, order, now)
            session.delete(new)
    session.flush()
    session.refresh(issue)


def archive_issue(issue: Issue) -> None:
    """Keep an issue and all its papers for the archive only."""
    issue.archived = True
    archive_papers(issue, {row.number for row in issue.papers})


def archive_papers(issue: Issue, numbers: Collection[int]) -> None:
    """Keep some of an issue's papers for the archive only."""
    for row in issue.papers:
        row.archived = row.archived or row.number in numbers


def move_behind_others(session: Session, topic_ids: Collection[int], now: datetime) -> None:
    """Let the papers of issues that cannot be rendered arrive again, so that they keep no other paper waiting.

    Whoever has had one of them does not get it again. If that cannot be told any more, because mails of it have been
    pruned, the paper is for the archive.
    """
    advisory_lock(session, "papers")
    _, order = _last(session)
    rows = select(Paper).join(Issue).where(Issue.topic_id.in_(topic_ids), Paper.withdrawn_at.is_(None))
    for row in session.scalars(rows.order_by(Paper.arrival_order)):
        if row.pruned_at:
            row.archived = True
            continue
        order += 1
        row.arrival_order, row.restored_at = order, now


def papers_that_may_arrive_again(
    session: Session, first_cursor: Callable[[], int], now: datetime
) -> set[int]:
    """The numbers of papers of which it matters who has had them.

    They arrived again and somebody at the `first_cursor` has not passed them yet, or they are withdrawn and may return.
    The cursor is asked for only if there are such papers, because finding it reads all subscribers.
    """
    may_return = Paper.withdrawn_at > now - MAX_ABSENCE
    away = session.scalars(select(Paper.number).where(~Paper.archived, may_return)).all()
    came_again = select(Paper.number, Paper.arrival_order).where(
        ~Paper.archived, Paper.restored_at.is_not(None)
    )
    orders = dict(session.execute(came_again).all())
    first = first_cursor() if orders else 0
    return {*away, *(number for number, order in orders.items() if order > first)}


def note_pruned(session: Session, numbers: Collection[int], now: datetime) -> None:
    """Note that mails with these papers have been pruned."""
    papers = update(Paper).where(Paper.number.in_(numbers), Paper.pruned_at.is_(None))
    session.execute(papers.values(pruned_at=now).execution_options(synchronize_session=False))


def arrival_range(issue: Issue) -> tuple[int, int]:
    """The first and the last place of the issue's unread papers in the order of arrival."""
    orders = [row.arrival_order for row in _mailed(issue)]
    return min(orders, default=0), max(orders, default=0)


def is_in_posted_order(issue: Issue) -> bool:
    """Whether the papers arrive in the order of the post."""
    orders = [row.arrival_order for row in _mailed(issue)]
    return orders == sorted(orders)


def order_as_posted(issue: Issue) -> None:
    """Let the papers arrive in the order of the post. Call it only if no cursor can stand between them."""
    rows = _mailed(issue)
    for row, order in zip(rows, sorted(row.arrival_order for row in rows), strict=True):
        row.arrival_order = order


def _mailed(issue: Issue) -> list[Paper]:
    rows = [row for row in issue.papers if row.withdrawn_at is None and not row.archived]
    return sorted(rows, key=lambda row: row.position)
