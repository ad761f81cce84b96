"""The languages that subscribers choose, and those of the texts."""

import pytest

from core.languages import Language, TextLanguage


@pytest.mark.parametrize("language", TextLanguage)
def test_a_subscriber_can_choose_to_read_any_language_alone(language: TextLanguage) -> None:
    assert Language(language).texts == (language,)


@pytest.mark.parametrize("language", Language)
def test_everything_around_the_papers_is_in_the_first_language_of_the_mail(language: Language) -> None:
    assert language.frame == language.texts[0]
