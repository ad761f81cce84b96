"""The links in a section of links: the addresses, and what the text beside them says."""

from collections.abc import Sequence

from issues.parse.addresses import URL, comparable_url, leads_to_paper, safe_url, work_of
from issues.parse.boilerplate import is_bare_link
from issues.parse.content import Link
from issues.parse.outline import Item

MAX_LABEL_CHARACTERS = 100  # a longer text beside a link is more than its label


def own_address(items: Sequence[Item]) -> str:
    """The paper's address in the section 논문 링크: the first that leads to a paper, or else the first, if any."""
    urls = [url for item in items for url in addresses_of(item)]
    return next(filter(leads_to_paper, urls), urls[0] if urls else "")


def arxiv_numbers(items: Sequence[Item]) -> list[str]:
    """The works at arXiv to which links lead, each once."""
    works = (work_of(url) for item in items for url in addresses_of(item))
    return sorted({work for work in works if work.startswith("arxiv:")})


def links_and_notes(items: Sequence[Item], *, own: str = "") -> tuple[list[Link], list[Item]]:
    """The addresses in a section of links, each once, and its texts that are more than a link's label.

    The paper's `own` address is not among them. It has no label, so a text beside it is a note.
    """
    links: dict[str, Link] = {}
    notes: list[Item] = []
    for item in items:
        urls = addresses_of(item)
        label = "" if is_bare_link(item) else item.text
        labels_a_link = urls and urls[0] != own and not _is_known(links, urls)
        if item.text and (not urls or (label and not labels_a_link) or len(label) > MAX_LABEL_CHARACTERS):
            notes.append(item)
            label = ""
        for url in urls:
            links.setdefault(comparable_url(url), Link(url, label))
            label = ""  # the text labels the first address only
    return [link for link in links.values() if link.url != own], notes


def _is_known(links: dict[str, Link], urls: Sequence[str]) -> bool:
    return comparable_url(urls[0]) in links


def addresses_of(item: Item) -> list[str]:
    """The addresses of a onebox, of a linked picture, or in a text, where they are linked or written out."""
    found = [item.url] if item.url else []
    for run in item.block.runs:
        found += [run.href] if run.href else URL.findall(run.text)
    return list(dict.fromkeys(url for address in found if (url := safe_url(address, address))))
