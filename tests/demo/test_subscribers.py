"""The demo shows what Paperboy can send."""

from itertools import product

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from paperboy.demo.run import SUBSCRIBERS


def test_the_demo_has_a_subscriber_of_every_language_and_frequency_in_both_details() -> None:
    shown = [choices for _, _, choices in SUBSCRIBERS]
    assert {(each.language, each.frequency) for each in shown} == set(product(Language, Frequency))
    assert {(each.language, each.detail) for each in shown} == set(product(Language, Detail))
    assert {(each.frequency, each.detail) for each in shown} == set(product(Frequency, Detail))
