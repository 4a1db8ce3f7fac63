"""The language of a text: right where it can be told, and unknown where it cannot."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.detect.language import LANGUAGES, SAMPLE, UNKNOWN, language_of

TEXTS = {
    "en": "Does anyone know where to buy tickets for tomorrow?",
    "de": "Schreib mir an hans@beispiel.de oder ruf an: 0170 1234567",
    "es": "Mi correo es ana@ejemplo.es, llámame mañana por favor.",
    "fr": "Quelle belle journée à la plage, on y retourne demain ?",
    "pt": "Que lindo dia na praia, amanhã voltamos com as crianças.",
    "it": "Che bella giornata al mare, torniamo anche domani.",
    "pl": "Jaki piękny dzień na plaży, jutro też przyjdziemy.",
    "tr": "Bugün hava çok güzel, yar\u0131n yine gelelim mi?",
    "vi": "Hôm nay trời đẹp quá, mai mình lại đi nhé.",
    "ru": "Какой прекрасный день, завтра снова поедем на море.",
    "ar": "يا له من يوم جميل، سنعود غدا إلى الشاطئ مع الأصدقاء",
    "hi": "आज मौसम बहुत अच्छा है, कल फिर से चलेंगे।",
    "zh": "今天天气真好。明天我们再去一次海边吧。",
    "ja": "今日はとても良い天気ですね。明日も海に行きましょう。",
    "ko": "오늘 날씨가 정말 좋네요. 내일도 바다에 가요.",
    "th": "วันนี้อากาศดีมาก พรุ่งนี้ไปทะเลกันอีกนะ",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_sentence_tells_its_language(language: str) -> None:
    assert language_of(TEXTS[language]) == language
    assert language_of(f"{TEXTS[language]} " * 200) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "12345",
        "🎉🎉",
        "lol",
        "hello",
        "idiot",
        "mail me: a@b.example",
        "\ud800",
        "@" * 50,
        "https://a.example/das/ist",
    ],
)
def test_of_a_text_that_is_too_short_nobody_can_tell(text: str) -> None:
    assert language_of(text) == UNKNOWN


@pytest.mark.parametrize("order", [1, -1])
def test_a_text_in_two_languages_is_in_neither(order: int) -> None:
    abuse = "Nobody likes you here, go away."
    assert language_of(abuse) == "en"
    assert language_of(" ".join([abuse, TEXTS["it"]][::order])) == UNKNOWN


def test_of_a_long_text_the_middle_and_the_end_count_too() -> None:
    long = f"{TEXTS['de']} " * 200
    for at in (len(long) // 2, len(long)):
        assert language_of(f"{long[:at]} {TEXTS['en'] * (2 * SAMPLE // len(TEXTS['en']))} {long[at:]}") == UNKNOWN


@settings(max_examples=50)
@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    assert language_of(text) in (UNKNOWN, *LANGUAGES.split())


@pytest.mark.parametrize("piece", ["a", "@", "a@", "http://", "a. ", "1", "字", "\n"])
def test_a_hostile_text_costs_next_to_nothing(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    language_of("the model is loaded")
    started = time.process_time()
    language_of(text)
    assert time.process_time() - started < 0.5
