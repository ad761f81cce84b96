"""How many bytes a piece of HTML takes in a mail, decoded and encoded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HtmlSize:
    """Bytes of a piece of HTML with CRLF line ends: in UTF-8, and in quoted-printable without soft line breaks."""

    plain: int
    quoted: int

    def __add__(self, other: "HtmlSize") -> "HtmlSize":
        return HtmlSize(self.plain + other.plain, self.quoted + other.quoted)

    def __sub__(self, other: "HtmlSize") -> "HtmlSize":
        return HtmlSize(self.plain - other.plain, self.quoted - other.quoted)

    @property
    def encoded(self) -> int:
        """Bytes on the wire in the smaller of base64 and quoted-printable, with their line ends."""
        return min(-(-self.plain * 78 // 57) + 4, -(-self.quoted * 76 // 73) + 4)

    @property
    def larger(self) -> int:
        """What counts against a limit: the larger of the decoded and the encoded bytes."""
        return max(self.plain, self.encoded)


NO_SIZE = HtmlSize(0, 0)


def size_of(html: str) -> HtmlSize:
    """The size of a piece of HTML."""
    raw = html.encode()
    escaped = sum(1 for byte in raw if byte > 126 or byte == 61 or (byte < 32 and byte != 10))
    plain = len(raw) + raw.count(b"\n")
    leading_dots = raw.startswith(b".") + raw.count(b"\n.")  # they are escaped too, each with a line end
    return HtmlSize(plain, plain + 2 * escaped + 5 * leading_dots)
