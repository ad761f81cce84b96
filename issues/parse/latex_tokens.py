"""Finds the LaTeX in a text: commands and their arguments, symbols, quotes, and formulas between dollar signs."""

import re
from typing import Literal

from issues.parse.text import lowered, raised

MAX_TOKENS = 50_000  # of one text; no paragraph has as many, and what comes after them stays as it is written

FORMATS: dict[str, set[str]] = {
    "textbf": {"bold"}, "mathbf": {"bold"}, "boldsymbol": {"bold"}, "bm": {"bold"}, "textit": {"italic"},
    "emph": {"italic"}, "textsl": {"italic"}, "mathit": {"italic"}, "texttt": {"code"}, "mathtt": {"code"},
    "textsuperscript": {"sup"}, "textsubscript": {"sub"}, "underline": set(), "text": set(), "textsc": set(),
    "textrm": set(), "textsf": set(), "textup": set(), "textnormal": set(), "mbox": set(), "hbox": set(), "mathrm": set(),
    "mathsf": set(), "mathcal": set(), "mathbb": set(), "mathfrak": set(), "operatorname": set(),
}  # fmt: skip
LINKS = {"href", "url"}
LABEL = "label of a link"  # the second argument of \href, which has no name of its own
_SYMBOLS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω", "times": "×", "div": "÷", "pm": "±", "mp": "∓", "cdot": "·", "ast": "∗", "star": "⋆", "circ": "∘",
    "sim": "∼", "simeq": "≃", "approx": "≈", "equiv": "≡", "propto": "∝", "neq": "≠", "ne": "≠", "leq": "≤", "le": "≤",
    "geq": "≥", "ge": "≥", "ll": "≪", "gg": "≫", "lesssim": "≲", "gtrsim": "≳", "in": "∈", "notin": "∉", "subset": "⊂",
    "subseteq": "⊆", "cup": "∪", "cap": "∩", "emptyset": "∅", "forall": "∀", "exists": "∃", "sum": "∑", "prod": "∏",
    "int": "∫", "partial": "∂", "nabla": "∇", "infty": "∞", "sqrt": "√", "ell": "ℓ", "oplus": "⊕", "otimes": "⊗",
    "rightarrow": "→", "to": "→", "leftarrow": "←", "leftrightarrow": "↔", "Rightarrow": "⇒", "Leftarrow": "⇐",
    "mapsto": "↦", "uparrow": "↑", "downarrow": "↓", "langle": "⟨", "rangle": "⟩", "mid": "|", "vert": "|", "Vert": "‖",
    "ldots": "…", "dots": "…", "cdots": "⋯", "textellipsis": "…", "dagger": "†", "checkmark": "✓", "prime": "′",
    "textless": "<", "textgreater": ">", "textasciitilde": "~", "textasciicircum": "^", "textbackslash": "\\",
    "textbar": "|", "textendash": "–", "textemdash": "—", "textquotesingle": "'", "textdegree": "°", "quad": " ",
    "qquad": " ", "left": "", "right": "",
}  # fmt: skip
_SIGNS = {
    "%": "%", "&": "&", "_": "_", "#": "#", "$": "$", "{": "{", "}": "}", ",": " ", ";": " ", ":": " ", "!": "",
}  # fmt: skip
_DEGREE = "∘"  # raised, it is the sign of degrees

_SIGN = r"(?P<sign>\\[%&_#${},;:!])"
_BRACES = r"(?P<open>\{)|(?P<close>\})"
_FORMULA = r"(?:\\[^\n]|[^$\\\n]){1,200}+"  # a longer text between dollar signs is no formula
_LATEX = re.compile(
    r"(?P<path>(?<![A-Za-z])[A-Za-z]:\\[^\s{}$]{0,260}+(?!\{))"  # such as C:\text, which is no LaTeX
    rf"|(?P<command>\\[A-Za-z]++)|{_SIGN}|{_BRACES}"
    rf"|(?P<formula>\$\${_FORMULA}\$\$|\${_FORMULA}\$(?!\d))"
    r"|(?P<quote>``|''|(?<!\w)`(?=\S)|(?<=\S)'(?!\w))"
)
_IN_FORMULA = re.compile(
    rf"(?P<command>\\[A-Za-z]++)|{_SIGN}|{_BRACES}"
    r"|(?P<script>[\^_](?:\{[^{}]*\}|\\(?:circ|prime)(?![A-Za-z])|[^\W_](?![^\W_])))"
)
_ARGUMENT = re.compile(r"[ \t]*+\{")
_COMMAND = re.compile(r"\\([A-Za-z]+|[%&_#${},;:!])")
_WORDS = re.compile(r"[가-힣]|[A-Za-z]{3,} [A-Za-z]{3,}")


# --- finding LaTeX ------------------------------------------------------------------


Kind = Literal["text", "command", "formula", "close"]
# A piece of LaTeX: where it begins and ends, and the text that replaces it or the name of the command that it begins.
# It is a plain tuple because a hostile text can have many thousands of them.
Token = tuple[int, int, Kind, str]


class Scanner:
    """Finds the LaTeX of a text in order.

    `closes` has the token at which the argument of a command or a formula ends. An argument that never ends is missing.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._open_braces: list[int] = []  # the token of a command's argument, or -1 for an ordinary brace
        self._open_quotes: list[int] = []
        self._open_single_quotes: list[int] = []
        self.tokens: list[Token] = []
        self.closes: dict[int, int] = {}

    def scan_text(self, start: int, end: int) -> None:
        """Find the LaTeX between two places of the text."""
        self._scan(_LATEX, start, end)

    def scan_formula(self, start: int, end: int, dollars: int = 0) -> None:
        """Find the LaTeX of a formula between two places of the text, which has dollar signs at both ends."""
        index = len(self.tokens)
        self.tokens.append((start, start + dollars, "formula", ""))
        outer_braces, self._open_braces = self._open_braces, []
        self._scan(_IN_FORMULA, start + dollars, end - dollars)
        self._open_braces = outer_braces
        self.closes[index] = len(self.tokens)
        self.tokens.append((end - dollars, end, "close", ""))

    def _scan(self, latex: re.Pattern[str], start: int, end: int) -> None:
        at = start
        while len(self.tokens) < MAX_TOKENS and (found := latex.search(self._text, at, end)):
            at = found.end()
            match found.lastgroup:
                case "command":
                    at = self._command(found, end)
                case "sign":
                    self._replace(found, _SIGNS[found[0][1]])
                case "formula":
                    at = self._formula(found)
                case "script":
                    at = self._script(found)
                case "open" if self._open_braces:
                    self._open_braces.append(-1)
                case "close" if self._open_braces:
                    at = self._close(found, end)
                case "quote":
                    self._quote(found)

    def _replace(self, found: re.Match[str], text: str) -> None:
        self.tokens.append((found.start(), found.end(), "text", text))

    def _command(self, found: re.Match[str], end: int) -> int:
        name, after = found[0][1:], found.end()
        if name in _SYMBOLS:
            after += 2 * self._text.startswith("{}", after, end)
            self.tokens.append((found.start(), after, "text", _SYMBOLS[name]))
        elif name in FORMATS or name in LINKS:
            argument = _ARGUMENT.match(self._text, after, end)
            return self._begin(found.start(), argument.end(), name) if argument else after
        return after

    def _begin(self, start: int, end: int, name: str) -> int:
        self._open_braces.append(len(self.tokens))
        self.tokens.append((start, end, "command", name))
        return end

    def _close(self, found: re.Match[str], end: int) -> int:
        command, after = self._open_braces.pop(), found.end()
        if command < 0:
            return after
        self.closes[command] = len(self.tokens)
        self.tokens.append((found.start(), after, "close", ""))
        if self.tokens[command][3] == "href" and (label := _ARGUMENT.match(self._text, after, end)):
            return self._begin(after, label.end(), LABEL)
        return after

    def _formula(self, found: re.Match[str]) -> int:
        dollars = 2 if found[0].startswith("$$") else 1
        text = found[0][dollars:-dollars]
        if text != text.strip() or _WORDS.search(text):
            return found.start() + 1  # the words between two prices
        self.scan_formula(found.start(), found.end(), dollars)
        return found.end()

    def _script(self, found: re.Match[str]) -> int:
        """A raised or lowered text becomes Unicode's characters, if there are some. Otherwise it stays as written."""
        text = found[0][1:].removeprefix("{").removesuffix("}")
        text = _COMMAND.sub(_symbol, text) if "\\" in text else text
        is_raised = found[0][0] == "^"
        signs = ("°" if text == _DEGREE else raised(text)) if is_raised else lowered(text)
        if signs is None:
            return found.start() + 1
        self._replace(found, signs)
        return found.end()

    def _quote(self, found: re.Match[str]) -> None:
        """A quote becomes a sign of its own with the one that closes it. Double quotes without one are straight."""
        match found[0]:
            case "``":
                self._open_quotes.append(len(self.tokens))
                self._replace(found, '"')
            case "''" if self._open_quotes:
                self._pair(self._open_quotes.pop(), found, "“", "”")
            case "''":
                self._replace(found, '"')
            case "`":
                self._open_single_quotes.append(len(self.tokens))
                self._replace(found, "`")
            case "'" if self._open_single_quotes:
                self._pair(self._open_single_quotes.pop(), found, "‘", "’")

    def _pair(self, opening: int, found: re.Match[str], left: str, right: str) -> None:
        start, end, _, _ = self.tokens[opening]
        self.tokens[opening] = (start, end, "text", left)
        self._replace(found, right)


def _symbol(command: re.Match[str]) -> str:
    return _SYMBOLS.get(command[1], _SIGNS.get(command[1], command[0]))
