"""The simulated forum: its editors write weekly posts and change them. Papers are numbers here."""

import itertools
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from issues.posts import Post

SEOUL = ZoneInfo("Asia/Seoul")
FIRST_WEEK = date(2025, 1, 6)
FIRST_OLD_WEEK = date(2024, 9, 2)  # long over in every simulated month
EDITOR = "editor"


@dataclass
class SimulatedPost:
    """A weekly post as its editors have it: its papers, those they took out, and how often each was changed.

    A post that `lacks_title` has a paper without one, which is a doubt.
    """

    topic_id: int
    start: date
    papers: list[int]
    published_at: datetime
    author: str = EDITOR
    removed: list[int] = field(default_factory=list)
    renamings: dict[int, int] = field(default_factory=dict)
    corrections: dict[int, int] = field(default_factory=dict)
    lacks_title: bool = False
    is_deleted: bool = False
    address: str = ""

    def post(self) -> Post:
        """The post as the forum has it."""
        end = self.start + timedelta(days=6)
        title = f"[{self.start:%Y/%m/%d} ~ {end:%Y/%m/%d}] 이번 주에 살펴볼 만한 AI/ML 논문 모음"
        last = len(self.papers) - 1
        html = "<p>이번 주의 흐름입니다.</p>" + "".join(
            self._paper_html(number, has_title=not (self.lacks_title and index == last))
            for index, number in enumerate(self.papers)
        )
        url = f"https://forum.example/t/{self.address or self.topic_id}/{self.topic_id}"
        return Post(self.topic_id, title, url, html, self.published_at, author=self.author)

    def _paper_html(self, number: int, *, has_title: bool) -> str:
        renamed, corrected = self.renamings.get(number, 0), self.corrections.get(number, 0)
        name = f"T{number:04}" + (f" revised {renamed}" if renamed else "")
        words = " ".join(f"낱말{number}x{index}" for index in range(12))
        text = words + (f" {corrected}번째로 고쳤습니다." if corrected else "")
        heading = f"<h2>{name}: 논문 / {name}: paper</h2>" if has_title else ""
        return (
            f"{heading}<h3>논문 소개</h3><p>T{number:04} 논문을 소개합니다. {text}</p>"
            f"<h3>초록(Abstract)</h3><p>T{number:04} 논문의 초록입니다.</p><blockquote><p>The abstract of T{number:04}.</p></blockquote>"
            f'<h3>논문 링크</h3><p><a href="https://arxiv.org/abs/25{renamed:02}.{number:05}">x</a></p><hr>'
        )


@dataclass
class SimulatedForum:
    """The posts, oldest first, and which of them have changed since they were read last."""

    posts: list[SimulatedPost] = field(default_factory=list)
    old_posts: list[SimulatedPost] = field(default_factory=list)
    unread: set[int] = field(default_factory=set)
    _papers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _topics: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1000))

    def publish(self, count: int, now: datetime, *, author: str = EDITOR) -> SimulatedPost:
        """The post of the next week, which has begun by now."""
        start = self.posts[-1].start + timedelta(days=7) if self.posts else FIRST_WEEK
        start = max(start, now.date() - timedelta(days=now.weekday()))
        return self._add(self.posts, start, self._new_papers(count), now, author)

    def show_old_week(self, count: int) -> SimulatedPost:
        """A post of a week that is long over, which was not read when it was new."""
        start = FIRST_OLD_WEEK - timedelta(weeks=len(self.old_posts))
        then = datetime(start.year, start.month, start.day, 7, 0, tzinfo=SEOUL)
        return self._add(self.old_posts, start, self._new_papers(count), then, EDITOR)

    def repost(self, post: SimulatedPost, now: datetime) -> SimulatedPost:
        """The same week once more as another topic, with one more paper."""
        papers = [*post.papers, *self._new_papers(1)]
        again = SimulatedPost(next(self._topics), post.start, papers, now)
        again.renamings, again.corrections = dict(post.renamings), dict(post.corrections)
        return again

    def next_week_begins(self) -> datetime:
        """When the week of the next post begins."""
        start = self.posts[-1].start + timedelta(days=7) if self.posts else FIRST_WEEK
        return datetime(start.year, start.month, start.day, 7, 0, tzinfo=SEOUL)

    def add_papers(self, post: SimulatedPost, count: int) -> None:
        """An edit adds papers at the end."""
        self._touch(post)
        post.papers += self._new_papers(count)

    def remove_paper(self, post: SimulatedPost) -> None:
        """An edit takes out the last paper."""
        self._touch(post)
        post.removed.append(post.papers.pop())

    def restore_paper(self, post: SimulatedPost) -> None:
        """A paper that was taken out comes back, at the end of its post."""
        self._touch(post)
        post.papers.append(post.removed.pop())

    def reorder(self, post: SimulatedPost) -> None:
        """The first paper becomes the last."""
        self._touch(post)
        post.papers.append(post.papers.pop(0))

    def rename(self, post: SimulatedPost, pick: int) -> None:
        """A paper's title and address change in one edit."""
        self._touch(post)
        number = post.papers[pick % len(post.papers)]
        post.renamings[number] = post.renamings.get(number, 0) + 1

    def correct(self, post: SimulatedPost, pick: int) -> None:
        """A paper's text is corrected."""
        self._touch(post)
        number = post.papers[pick % len(post.papers)]
        post.corrections[number] = post.corrections.get(number, 0) + 1

    def set_title(self, post: SimulatedPost, *, is_there: bool) -> None:
        """An edit loses the title of the last paper, or gives it back."""
        self._touch(post)
        post.lacks_title = not is_there

    def move(self, post: SimulatedPost, address: str) -> None:
        """A post gets another address on the forum."""
        self._touch(post)
        post.address = address

    def delete(self, post: SimulatedPost, *, is_deleted: bool) -> None:
        """A post is deleted, or comes back."""
        self._touch(post)
        post.is_deleted = is_deleted

    def changed_posts(self) -> list[SimulatedPost]:
        """What changed since it was read last, in the order in which it is taken: the oldest week first."""
        changed = [post for post in (*self.old_posts, *self.posts) if post.topic_id in self.unread]
        return sorted(changed, key=lambda post: (post.start, post.topic_id))

    def _touch(self, post: SimulatedPost) -> None:
        self.unread.add(post.topic_id)

    def _new_papers(self, count: int) -> list[int]:
        return [next(self._papers) for _ in range(count)]

    def _add(
        self, posts: list[SimulatedPost], start: date, papers: list[int], now: datetime, author: str
    ) -> SimulatedPost:
        topic_id = next(self._topics)
        name = author if author == EDITOR else f"{author}{topic_id}"
        posts.append(SimulatedPost(topic_id, start, papers, now, name))
        self._touch(posts[-1])
        return posts[-1]
