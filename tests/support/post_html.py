"""Builds small weekly posts as HTML, part by part, for tests of the parser and the store."""

TITLE = "[2025/06/02 ~ 06/08] 이번 주에 살펴볼 만한 AI/ML 논문 모음"
URL = "https://forum.example/t/2025-06-02-08-ai-ml/7001"
GREETING = "<h3>PyTorchKR🔥🇰🇷 🤔💭</h3>\n<p>이번 주에는 작은 모델을 다룬 논문이 많습니다.</p>\n"
FOOTER = (
    '<p><a href="https://pytorch.kr/">🔥파이토치 한국 사용자 모임🇰🇷</a>에서 준비한 글이 도움이 되셨나요? '
    '<a href="https://forum.example/signup">회원으로 가입</a>하시면 메일로 받아 보실 수 있습니다.</p>\n'
    "<p>아래의 좋아요를 눌러 주시면 힘이 됩니다.</p>\n"
)


def heading(text: str, level: int = 3) -> str:
    """A heading with its empty anchor, as Discourse renders it."""
    return (
        f'<h{level}><a name="p-1-h-1" class="anchor" href="#p-1-h-1" aria-label="Heading link"></a>'
        f"{text}</h{level}>\n"
    )


def onebox(url: str) -> str:
    """A onebox, which has a heading and an excerpt of its own."""
    return (
        f'<aside class="onebox allowlistedgeneric" data-onebox-src="{url}"><header class="source">'
        f'<img src="https://forum.example/icon.png" class="site-icon"><a href="{url}">arXiv.org</a></header>'
        f'<article class="onebox-body"><h3><a href="{url}">An excerpt of the page</a></h3>'
        '<p>Excerpt text that is no part of the post.</p></article><div class="onebox-metadata"></div></aside>\n'
    )


def paper_html(
    name: str = "올빼미 / Owl",
    *,
    intro: str = "<p>밤에 배우는 모델을 소개합니다.</p>",
    abstract: str = "<p>초록의 한국어 문장입니다.</p>\n<blockquote>\n<p>The English abstract.</p>\n</blockquote>",
    link: str | None = None,
    more: str = "",
) -> str:
    """One paper in the format of 2025. `link` and `more` are the HTML under their labels."""
    address = f"https://arxiv.org/abs/2506.{sum(name.encode()) % 100_000:05}"
    parts = [
        heading(name, 2),
        heading("논문 소개") + intro,
        heading("논문 초록(Abstract)") + abstract,
        heading("논문 링크") + (onebox(address) if link is None else link),
        heading("더 읽어보기") + more if more else "",
    ]
    return "\n".join(parts)


def post_html(*papers: str, front: str = GREETING, ending: str = "<hr>\n" + FOOTER) -> str:
    """A weekly post with these papers."""
    return front + "<hr>\n".join(papers or (paper_html(),)) + ending
