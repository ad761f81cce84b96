"""The demo shows what Paperboy can send."""

from itertools import product

from core.frequencies import Frequency
from core.languages import Language
from paperboy.demo.run import SUBSCRIBERS


def test_the_demo_has_a_subscriber_of_every_language_and_frequency() -> None:
    shown = {(language, frequency) for _, _, language, frequency in SUBSCRIBERS}
    assert shown == set(product(Language, Frequency))
