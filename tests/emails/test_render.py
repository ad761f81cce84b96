"""Whole mails: within the limit, complete in order, safe, readable, the same in HTML and text."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise, product
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from making import HOUSE, blocks, content_of_edition, edition_of, issue_of, paper, rendered, stored
from selectolax.lexbor import LexborHTMLParser

from emails.edition import Edition, Part, subject_week
from emails.message import Content, Reader, encode, filled
from emails.plain import WIDTH, columns
from emails.prose import readable
from emails.render import LIMIT, SUBJECT_WIDTH, Rendered, RenderError, shorten
from emails.wording import say
from issues.post import IssueContent, Link, parse
from issues.text import Block, Run, tidy
from paperboy.sample.cook import cook_week
from paperboy.sample.data import weeks

WIDEST_NAMES = ("😀" * 80, "&" * 80, "한" * 80)
SHAPES = list(product((0, 1, 2), ("ko", "en", "both"), ("weekly", "daily")))
SNIPPETS = st.sampled_from(
    [
        "추론 모델은 답을 찾은 뒤에도 다른 풀이를 계속 시도합니다. ",
        "Reasoning models keep trying other solutions after the answer. ",
        "**짝이 없는 별표 ",
        "<think> a < b && c > d </think> ",
        "<script>alert('x')</script> ",
        r"\textbf{up to 35\%} and $\alpha \leq 2$ ",
        r"\href{https://code.example/a}{the code} ",
        "https://a.example/" + "long/" * 40 + " ",
        "W" * 300,
        "😀 ",
        "{{ personal }} {% if x %} <!--s1--> <!--/s1--> ",
        "]]> &amp; &#169; é\u00a0x ",
    ]
)
TEXTS = st.builds(lambda snippet, times: snippet * times, SNIPPETS, st.integers(1, 25))


@st.composite
def texts(draw: st.DrawFn, most: int = 4) -> tuple[Block, ...]:
    made = []
    for text in draw(st.lists(TEXTS, max_size=most)):
        runs = tidy(
            [
                Run(
                    text,
                    bold=draw(st.booleans()),
                    href=draw(st.sampled_from([None, "https://b.example/?a=1&b=2"])),
                )
            ]
        )
        if runs:
            made.append(Block(draw(st.sampled_from(["p", "li"])), runs))
    return tuple(made)


@st.composite
def wild_issues(draw: st.DrawFn) -> IssueContent:
    """Issues of papers with arbitrary texts, some huge, some empty."""
    papers = [
        paper(
            number,
            title_ko=draw(st.sampled_from(["제목", "<script>제목</script>", "& 제목 " * 30, ""])),
            title_en=draw(st.sampled_from(["Title", "A <b>title</b> & more", "T" * 200])),
            intro_ko=draw(texts()),
            intro_en=draw(texts(2)),
            abstract_ko=draw(texts()),
            abstract_en=draw(texts()),
            links=(
                Link("https://github.com/example/code?a=1&b=2"),
                Link("https://blog.example/글", "설명 글"),
            ),
        )
        for number in range(1, draw(st.integers(1, 6)) + 1)
    ]
    if draw(st.booleans()):
        papers[0] = paper(1, intro_ko=blocks("길다 " * 9_000), abstract_en=blocks("long " * 12_000))
    return issue_of(papers, overview=draw(texts()), summary=draw(texts()))


def reading(html: str) -> str:
    """What a reader sees of the HTML, on one line."""
    body = LexborHTMLParser(html).body
    assert body
    return " ".join(body.text(separator=" ").split())


def bare(text: str) -> str:
    """A text without its spaces, to find it wherever lines are broken."""
    return "".join(text.split())


def hrefs(html: str) -> set[str]:
    return {unquote(node.attributes.get("href") or "") for node in LexborHTMLParser(html).css("a")}


def shown_blocks(
    edition: Edition, mail: Rendered
) -> Iterator[tuple[Part, tuple[Block, ...], tuple[Block, ...]]]:
    """Each part with its blocks shown and those left out."""
    for part, count in zip(edition.parts, mail.layout.shown, strict=True):
        yield part, part.blocks[:count], part.blocks[count:]


def biggest(content: Content) -> int:
    """The most that the HTML part takes, decoded or encoded, for any reader."""
    sizes = []
    for name in WIDEST_NAMES:
        html, _ = filled(content, Reader("reader@example.org", name, "0" * 16, "ko"), HOUSE)
        sizes += [len(html.replace("\n", "\r\n").encode()), len(encode(html)[1])]
    return max(sizes)


def check_whole(edition: Edition) -> Rendered:
    """What holds for every mail, whatever is in its texts."""
    mail = rendered(edition)
    content = stored(edition, mail)
    assert biggest(content) <= LIMIT
    html, text = filled(content, Reader("reader@example.org", "", "0" * 16, "ko"), HOUSE)
    seen, read = bare(reading(html)), bare(text)
    at = at_text = 0
    for _, shown, _ in shown_blocks(edition, mail):
        for block in shown:
            wanted = bare(readable(block).text)
            at = seen.index(wanted, at)
            at_text = (
                read.index(bare(readable(block).runs[0].text), at_text) if readable(block).runs else at_text
            )
    listed = text.rpartition("=" * WIDTH)[2]
    addresses = {unquote(found) for found in re.findall(r"(?m)^\[\d+\] (.+)$", listed)}
    assert hrefs(html) == addresses
    assert not re.search(r"<(script|think)\b|<!--/?[sn]\d", html)
    assert content.nonce not in html + text
    assert len(mail.subject) <= SUBJECT_WIDTH
    return mail


# --- any text -----------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(wild_issues(), st.sampled_from(["ko", "en", "both"]), st.sampled_from(["weekly", "daily"]))
def test_a_mail_of_any_texts_is_small_enough_complete_in_order_and_safe(
    issue: IssueContent, language: str, frequency: str
) -> None:
    check_whole(edition_of(issue, language=language, frequency=frequency))


@cache
def sample(number: int) -> IssueContent:
    week = weeks()[number]
    return parse(
        week.title, cook_week(week, "https://forum.example"), f"https://forum.example/t/{week.topic_id}"
    )


@pytest.mark.parametrize(("number", "language", "frequency"), SHAPES)
def test_a_weekly_post_of_every_period_makes_a_whole_mail(number: int, language: str, frequency: str) -> None:
    edition = edition_of(sample(number), language=language, frequency=frequency)
    mail = check_whole(edition)
    for unit in edition.papers:
        assert unit.title in reading(mail.html)
        assert bare(unit.title) in bare(mail.text)
    assert not mail.layout.cuts or frequency == "weekly"


@pytest.mark.parametrize("language", ["ko", "en", "both"])
def test_a_text_that_was_cut_says_so_and_links_the_rest_and_one_that_was_not_does_not(language: str) -> None:
    edition = edition_of(big_issue(), language=language)
    mail = rendered(edition)
    assert mail.layout.cuts
    for spoken in ("ko", "en"):
        ended = sum(bool(left) for part, _, left in shown_blocks(edition, mail) if part.language == spoken)
        note = say(spoken, "read_on")
        assert reading(mail.html).count(note) == ended
        assert bare(mail.text).count(bare(note)) == ended


def big_issue(papers: int = 15) -> IssueContent:
    """Papers of the same size with more text than a mail holds, in blocks of ordinary length."""

    def texts_of(sentence: str) -> tuple[Block, ...]:
        return blocks(*(f"{sentence * 6}({number})" for number in range(8)))

    return issue_of(
        [
            paper(
                number,
                intro_ko=texts_of("추론의 낭비를 줄이는 방법을 소개합니다. "),
                intro_en=texts_of("We introduce a way to waste less reasoning. "),
                abstract_ko=texts_of("본 논문에서는 새로운 방법을 제안합니다. "),
                abstract_en=texts_of("In this work we propose a new method. "),
            )
            for number in range(1, papers + 1)
        ]
    )


@pytest.mark.parametrize("language", ["ko", "en", "both"])
@pytest.mark.parametrize("papers", [15, 25])
def test_where_something_is_left_out_the_room_is_used(language: str, papers: int) -> None:
    edition = edition_of(big_issue(papers), language=language)
    mail = rendered(edition)
    assert mail.layout.cuts
    assert biggest(content_of_edition(edition)) >= 0.95 * LIMIT


@pytest.mark.parametrize("language", ["ko", "en", "both"])
def test_papers_of_one_size_are_shown_alike_and_openings_before_all_else(language: str) -> None:
    edition = edition_of(big_issue(), language=language)
    mail = rendered(edition)
    by_text: dict[tuple[str, str], list[int]] = {}
    for part, shown, _ in shown_blocks(edition, mail):
        if part.name in {"intro", "abstract"}:
            by_text.setdefault((part.name, part.language), []).append(len(shown))
    for (name, _), counts in by_text.items():
        assert max(counts) - min(counts) <= 1, counts
        assert name == "abstract" or min(counts) >= 1


def test_forty_papers_make_a_mail_with_every_title_and_link() -> None:
    papers = [paper(number, links=(Link(f"https://code.example/{number}"),)) for number in range(1, 41)]
    for language in ("ko", "en", "both"):
        edition = edition_of(issue_of(papers), language=language)
        mail = check_whole(edition)
        assert len(edition.papers) == 40
        assert {unit.url for unit in edition.papers} <= hrefs(mail.html)


def test_a_paper_of_60_kilobytes_leaves_the_others_their_openings() -> None:
    huge = paper(1, intro_ko=blocks("아주 긴 소개입니다. " * 2_200), abstract_ko=blocks("긴 초록. " * 4_000))
    edition = edition_of(issue_of([huge, *(paper(number) for number in range(2, 11))]))
    mail = check_whole(edition)
    others = [unit for unit in edition.papers if unit.number > 1]
    for unit in others:
        assert unit.parts[0].blocks[0].text in reading(mail.html)


def test_papers_without_any_text_make_a_mail_of_titles_and_links() -> None:
    empty = {"intro_ko": (), "abstract_ko": (), "abstract_en": ()}
    edition = edition_of(issue_of([paper(number, **empty) for number in range(1, 6)], overview=()))
    mail = check_whole(edition)
    assert edition.parts == ()
    assert [node.text() for node in LexborHTMLParser(mail.html).css("h2")][1:] == [
        f"{number}. {number}번째 논문의 제목" for number in range(1, 6)
    ]


def test_what_cannot_fit_a_mail_even_without_its_texts_is_an_error_and_no_clipped_mail() -> None:
    long = {f"title_{language}": "a long title " * 20 for language in ("ko", "en")}
    links = tuple(Link(f"https://a.example/{'x' * 400}{number}") for number in range(20))
    crowded = issue_of([paper(number, links=links, **long) for number in range(1, 41)])
    with pytest.raises(RenderError, match="40 papers do not fit"):
        rendered(edition_of(crowded))


@pytest.mark.parametrize("language", ["ko", "en", "both"])
def test_the_worst_single_paper_still_makes_a_mail(language: str) -> None:
    address = "https://a.example/?" + "&" * 400
    worst = paper(
        1,
        title_ko="&" * 20_000,
        title_en="&" * 20_000,
        links=tuple(Link(f"{address}{number}", "&" * 5_000) for number in range(100)),
        intro_ko=blocks("&" * 90_000),
    )
    check_whole(edition_of(issue_of([worst], overview=()), language=language))


# --- what stands where --------------------------------------------------------------


@pytest.mark.parametrize("language", ["ko", "en", "both"])
def test_the_links_to_read_on_the_web_and_to_unsubscribe_stand_above_the_first_heading(language: str) -> None:
    content = content_of_edition(edition_of(issue_of(), language=language))
    for body in filled(content, Reader("reader@example.org", "", "0" * 16, language), HOUSE):
        above = body.partition(say(language, "brand"))[0]
        assert say(language, "web") in above
        assert say(language, "unsubscribe") in above
    html, _ = filled(content, Reader("reader@example.org", "", "0" * 16, language), HOUSE)
    above = html.partition("<h1")[0]
    assert re.search(r'href="https://paperboy\.example/u/[\w-]{22}"', above)
    assert 'href="https://forum.example/t/9001"' in above


@pytest.mark.parametrize("language", ["ko", "en", "both"])
def test_every_text_is_marked_with_its_language(language: str) -> None:
    full = paper(intro_en=blocks("The introduction."))
    mail = rendered(edition_of(issue_of([full]), language=language))
    tree = LexborHTMLParser(mail.html)
    root = tree.css_first("html")
    assert root
    assert root.attributes["lang"] == ("en" if language == "en" else "ko")
    for text, spoken in (("The introduction.", "en"), ("1번째 논문을 소개합니다.", "ko")):
        marked = [node for node in tree.css(f'div[lang="{spoken}"]') if text in node.text()]
        assert bool(marked) == (language in {spoken, "both"})


def test_a_daily_mail_says_which_papers_of_the_week_it_brings_and_a_weekly_one_has_no_need_to() -> None:
    for language, words in (("ko", "논문 10편 가운데 3, 4번째"), ("en", "No. 3, 4 of the 10 papers")):
        daily = rendered(edition_of(issue_of(10), language=language, frequency="daily", cursor=2))
        weekly = rendered(edition_of(issue_of(10), language=language, cursor=2))
        assert words in reading(daily.html)
        assert words in daily.text
        assert words not in reading(weekly.html) + weekly.text


def test_papers_that_wait_are_counted_in_both_bodies() -> None:
    mail = rendered(edition_of(issue_of(3), language="en", frequency="daily"))
    line = "One more paper is waiting and comes with the next mail."
    assert line in mail.text
    assert line in reading(mail.html)


def test_a_mail_of_one_paper_does_not_speak_of_papers() -> None:
    for frequency in ("weekly", "daily"):
        mail = rendered(edition_of(issue_of(1), language="en", frequency=frequency))
        assert "papers" not in mail.subject
        assert not re.search(r"\b(1|One|one) papers", reading(mail.html) + mail.text)


def test_a_list_stays_a_list_when_its_end_is_cut_off() -> None:
    items = blocks("앞 문단입니다.", *(f"- 항목 {number} " + "설명 " * 400 for number in range(60)))
    edition = edition_of(issue_of([paper(1, intro_ko=items)]))
    mail = rendered(edition)
    tree = LexborHTMLParser(mail.html)
    shown = [node.text() for node in tree.css("ul > li") if "항목" in node.text()]
    assert mail.layout.cuts
    assert shown == [block.text for block in items[1 : len(shown) + 1]]
    assert not tree.css("p > li, div > li")
    assert mail.html.count("<ul") == mail.html.count("</ul>") == 1


def test_titles_from_the_forum_are_never_markup() -> None:
    hostile = paper(title_ko='<script>alert("제목")</script>', title_en="</h2><img src=x onerror=alert(1)>")
    for language in ("ko", "en", "both"):
        mail = rendered(edition_of(issue_of([hostile]), language=language))
        assert not LexborHTMLParser(mail.html).css("script, img[src=x]")
        title = LexborHTMLParser(mail.html).css_first("title")
        assert title
        assert title.text().strip() == mail.subject


def test_every_title_counts_from_one_heading_of_the_first_level_without_a_gap() -> None:
    for frequency in ("weekly", "daily"):
        mail = rendered(edition_of(sample(0), language="both", frequency=frequency))
        levels = [int((node.tag or "")[1]) for node in LexborHTMLParser(mail.html).css("h1, h2, h3, h4")]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_text_part_has_short_lines_every_heading_and_the_same_order() -> None:
    edition = edition_of(sample(1), language="both")
    text = rendered(edition).text
    assert all(
        columns(line) <= WIDTH or " " not in line.strip() or line.startswith("[")
        for line in text.splitlines()
    )
    texts_only = bare(text.split("=" * WIDTH, 1)[1])
    places = [texts_only.index(f"{place}.{bare(unit.title)}") for place, unit in enumerate(edition.papers, 1)]
    assert places == sorted(places)


def test_the_days_of_a_mail_reach_from_its_first_issue_to_its_last() -> None:
    edition = edition_of(sample(0), sample(1))
    start, end = subject_week(edition.issues)
    assert (start, end) == (weeks()[0].start, weeks()[1].end)


# --- subject ------------------------------------------------------------------------


@given(st.text(alphabet=st.sampled_from("abc 가나,:-é😀"), max_size=200), st.integers(20, 130))
@example("한 단어가아주길어서예순자를넘어가면" * 9, 60)
def test_a_subject_is_cut_between_words_and_marked(text: str, width: int) -> None:
    short = shorten(text, width)
    whole = " ".join(text.split())
    assert len(short) <= width
    if len(whole) <= width:
        assert short == whole
    else:
        assert short.endswith("…")
        kept = short.removesuffix("…")
        assert whole.startswith(kept)
        rest = whole[len(kept) :]
        assert re.match(r"[ ,:;-]", rest) or " " not in whole[: width - 1].strip(" ,:;-")


def test_a_subject_names_the_first_paper() -> None:
    assert rendered(edition_of(issue_of(2), language="en", frequency="daily")).subject == (
        "Today's 2 papers: The title of paper 1"
    )
    assert (
        rendered(edition_of(issue_of(2), frequency="daily")).subject == "오늘의 논문 2편: 1번째 논문의 제목"
    )


# --- leftovers of LaTeX -------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\textbf{Gardener} prunes 35\% of $x$", "Gardener prunes 35% of x"),
        (r"``quoted'' and \emph{stressed}", "“quoted” and stressed"),
        (r"from $5 to $10 a month", "from $5 to $10 a month"),
        (r"$\alpha \leq \beta$", "α ≤ β"),
        (r"see \href{https://a.example/x}{the code}", "see the code"),
        (r"\url{https://a.example/x}", "https://a.example/x"),
        (r"A\&B \textit{in \%}", "A&B in %"),
        (r"a path C:\temp\total", r"a path C:\temp\total"),
    ],
)
def test_leftovers_of_latex_are_read_as_they_were_meant(written: str, read: str) -> None:
    assert readable(Block("p", (Run(written),))).text == read


def test_code_is_left_as_it_is() -> None:
    code = Block("p", (Run(r"\textbf{x} $y$ ``z''", code=True),))
    assert readable(code) == code


@given(st.text(alphabet=st.sampled_from(r"ab가 \{}$`'%_&"), max_size=80))
def test_no_leftover_makes_a_text_unreadable(text: str) -> None:
    """Letters stay, in their order, whatever commands and signs stand between them."""
    letters = re.sub(r"[^ab가]", "", text)
    assert re.sub(r"[^ab가]", "", readable(Block("p", (Run(text),))).text) == letters
