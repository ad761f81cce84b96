"""The usual symbols and commands of LaTeX become what a reader can read."""

import pytest

from issues.parse.readable import readable
from issues.parse.text import Block, TextRun

GREEK = """alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi
varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"""
SIGNS = """times div pm mp cdot ast star circ sim simeq approx equiv propto neq ne leq le geq ge ll gg lesssim gtrsim in
notin subset subseteq cup cap emptyset forall exists sum prod int partial nabla infty sqrt ell oplus otimes rightarrow to
leftarrow leftrightarrow Rightarrow Leftarrow mapsto uparrow downarrow langle rangle mid vert Vert ldots dots cdots
textellipsis dagger checkmark prime textless textgreater textasciitilde textasciicircum textbackslash textbar textendash
textemdash textquotesingle textdegree"""


def read(text: str) -> str:
    return readable(Block("p", (TextRun(text),))).text


@pytest.mark.parametrize("command", [*GREEK.split(), *SIGNS.split()])
def test_every_usual_symbol_becomes_one_sign(command: str) -> None:
    before, sign, after = read(rf"1 \{command} 2").split(" ")
    assert (before, len(sign), after) == ("1", 1, "2")
    assert not (sign.isascii() and sign.isalnum())


@pytest.mark.parametrize("command", ["quad", "qquad", "left", "right"])
def test_a_command_for_space_or_size_leaves_nothing_behind(command: str) -> None:
    assert read(rf"$1 \{command} 2$").split() == ["1", "2"]


@pytest.mark.parametrize(
    "command",
    [
        *(
            "underline",
            "text",
            "textsc",
            "textrm",
            "textsf",
            "textup",
            "textnormal",
            "mbox",
            "hbox",
            "mathrm",
        ),
        *("mathsf", "mathcal", "mathbb", "mathfrak", "operatorname"),
        *("textbf", "mathbf", "boldsymbol", "bm", "textit", "emph", "textsl", "mathit", "texttt", "mathtt"),
    ],
)
def test_a_command_for_a_typeface_leaves_its_text(command: str) -> None:
    assert read(rf"$a$ \{command}{{Loss}} b") == "a Loss b"
