"""What operators read in Korean: every sentence of their pages and notices has a translation, and no translation is left over."""

import ast
import calendar
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from core.languages import TextLanguage
from monitoring.translation import catalogue, translate, translate_finding

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "core",
    "issues",
    "subscribers",
    "emails",
    "delivery",
    "monitoring",
    "mailings",
    "bounces",
    "flows",
    "paperboy",
)
TEMPLATES = sorted((ROOT / "paperboy" / "admin" / "templates").glob("*.html"))
SPOKEN_BY_TEMPLATES = re.compile(r'(?<!\w)_\("((?:[^"\\]|\\.)*)"')
IN_ENGLISH = "monitoring/probe_mail.py"  # a mail whose headers matter, not its words
MESSAGES = {
    "OperatorNotice",
    "AttentionItem",
    "Button",
    "ForbiddenActionError",
}  # whose literal texts operators read
FACT_FIELDS = {"facts", "buttons", "page", "path", "fields", "status"}  # of them, what is no sentence


FINDING_FILES = (
    "paperboy/doctor/",
    "bounces/probe",
)  # whose sentences the lines of the doctor and of a probe show
NAMES = {"NAME", "name"}  # variables that hold what a line is about
NOT_TRANSLATED = {"SPF", "DKIM", "DMARC", "MX", "MTA-STS", "TLS-RPT", "Prefect"}
NOT_SHOWN = re.compile("UPDATE|SELECT|v=|nobody@|deployments$")  # statements and records


def _sentence(node: ast.AST) -> str | None:
    """The sentence that an expression builds, if it is written in one place."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
    return None


@cache
def _trees() -> tuple[tuple[str, ast.Module], ...]:
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return tuple((str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))) for path in files)


def _spoken_by_code() -> Iterator[tuple[str, str]]:
    """The sentences that the code gives to what operators read, with their files."""
    for name, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MESSAGES:
                arguments = [
                    *node.args,
                    *(word.value for word in node.keywords if word.arg not in FACT_FIELDS),
                ]
                for text in map(_sentence, arguments):
                    if text and " " in text and not set(text) <= set("{}: "):
                        yield name, text


def _spoken_in_findings() -> Iterator[tuple[str, str]]:
    """The sentences of the files whose findings operators read, and what those are about."""
    for name, tree in _trees():
        if not name.startswith(FINDING_FILES):
            continue
        silent = set(map(id, _silent_nodes(tree)))
        for node in ast.walk(tree):
            text = _sentence(node)
            if text and id(node) not in silent and " " in text.strip("{} ,;:") and not NOT_SHOWN.match(text):
                yield name, text
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in NAMES:
                subject = _sentence(node.value)
                if subject and subject.strip("{}/"):
                    yield name, subject


def _silent_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """Docstrings, and the parts of f-strings, which count only as a whole."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        if isinstance(node, ast.JoinedStr):
            yield from (part for value in node.values for part in ast.walk(value))


def test_every_sentence_of_the_operators_pages_has_a_translation() -> None:
    spoken = {text for path in TEMPLATES for text in SPOKEN_BY_TEMPLATES.findall(path.read_text("utf-8"))}
    assert len(spoken) > 100
    assert not sorted(spoken - catalogue().keys())


def test_every_notice_and_refusal_in_the_code_has_a_translation() -> None:
    spoken = [(name, text.replace("{}", "7")) for name, text in _spoken_by_code()]
    assert len(spoken) > 20
    english = {f"{name}: {text}" for name, text in spoken if translate(TextLanguage.KO, text) == text}
    assert not sorted(line for line in english if not line.startswith(IN_ENGLISH))


def test_every_finding_of_the_doctor_and_of_a_probe_has_a_translation() -> None:
    spoken = [
        (name, text.replace("{}", "7")) for name, text in _spoken_in_findings() if text not in NOT_TRANSLATED
    ]
    assert len(spoken) > 150
    english = {f"{name}: {text}" for name, text in spoken if translate_finding(TextLanguage.KO, text) == text}
    assert not sorted(english)


def test_no_translation_is_of_a_sentence_that_nobody_says() -> None:
    texts = {text for _, tree in _trees() for node in ast.walk(tree) if (text := _sentence(node))}
    texts |= {path.read_text("utf-8") for path in TEMPLATES}
    said = "\n".join(texts).lower()
    weekdays = {name.lower() for name in calendar.day_name}
    left_over = [
        sentence
        for sentence in catalogue()
        if sentence.lower() not in weekdays
        and not all(piece.strip().lower() in said for piece in re.split(r"\{\w+\}|[“”;:().,]", sentence))
    ]
    assert not left_over


def test_a_translation_has_the_braces_of_its_sentence() -> None:
    def names(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", text))

    assert not [english for english, korean in catalogue().items() if not names(korean) <= names(english)]


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        ("the issue of 2025-07-28 is held", "2025-07-28 주의 호가 보류되었습니다"),
        (
            "The post was not taken over: no paper was found; paper 3 (HRM) has no title, no link.",
            "글을 그대로 싣지 않았습니다. 이유: 논문을 찾지 못했습니다; 논문 3(HRM)에 다음이 없습니다: 제목, 링크",
        ),
        (
            "paper 2 (Owl) may be 2 papers: it links to arxiv:2506.00001, arxiv:2506.00002",
            "논문 2(Owl)이(가) 논문 2편일 수 있습니다. 링크: arxiv:2506.00001, arxiv:2506.00002",
        ),
        (
            "paper 2 (Owl) has “Otter” among its links, which may be another paper",
            "논문 2(Owl)의 링크 사이에 있는 “Otter”이(가) 다른 논문일 수 있습니다",
        ),
        (
            "in or after paper 2 (Owl), “## Otter” is code that holds the labels of a paper",
            "논문 2(Owl) 안이나 뒤: 코드 “## Otter”에 논문의 항목 이름이 있습니다",
        ),
        ("What failed: DKIM; arrival.", "실패한 항목: DKIM; 도착"),
        (
            "weekly:2025-W32 stopped: 10 mails in a row were refused, the last with: 550 no; 4 deliveries stay planned",
            "weekly:2025-W32 발송이 중단되었습니다: 10통이 연달아 거부되었습니다. 마지막 응답: 550 no; 4통이 예정 상태로 남았습니다",
        ),
        ("a sentence that nobody has translated", "a sentence that nobody has translated"),
        ("450 4.2.1 words of a server", "450 4.2.1 words of a server"),
        ("mail.example says no for now", "mail.example says no for now"),  # like a finding, and none
    ],
)
def test_a_stored_sentence_is_translated_with_the_reasons_in_it(english: str, korean: str) -> None:
    assert translate(TextLanguage.KO, english) == korean
    assert translate(TextLanguage.EN, english) == english


def test_commands_are_not_translated() -> None:
    advice = translate(TextLanguage.KO, "`paperboy show ISSUE`, then `paperboy resend ISSUE --group failed`")
    assert "`paperboy resend ISSUE --group failed`" in advice
    assert "다시 보낼 수 있습니다" in advice


def test_a_long_hostile_sentence_is_matched_in_linear_time() -> None:
    hostile = "paper 1 (" + "has no (" * 200_000 + ")"
    assert translate(TextLanguage.KO, hostile) == hostile
