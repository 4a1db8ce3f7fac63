"""Banned terms: found however they are dressed up, at their place, and nowhere else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import CONFIG
from tasks.detect.term_file import TermsError, parse_terms
from tasks.detect.terms import MAX_FINDINGS, NO_TERMS, Terms

TERMS = parse_terms(
    """
pills: {words: [viagra, kill, boss, hat, free money, казино, 赌博, 비아그라, "1488"]}
inside: {words: [cunt], match: anywhere}
"""
)
SHIPPED = parse_terms((CONFIG / "terms.yaml").read_text("utf-8"))

PROSE = {
    "en": "Scunthorpe United lost 2-0 on 4/5. The class assessed 1,488.50 hats; a.m. or p.m., e.g. in the U.S.A.?",
    "de": "Die Überraschung war groß: Am 14.8. kamen 88 Gäste, und der Kaffee für 3,50 € schmeckte allen.",
    "fr": "L'été dernier, nous avons mangé à la plage; ça coûtait 12 € par personne, c'était délicieux!",
    "es": "¡Qué día tan bonito! Mañana iremos al mercado a las 8:30, ¿vienes con nosotros?",
    "pl": "Dzisiaj jest piękna pogoda, żółte liście spadają z drzew, a my idziemy na spacer.",
    "tr": "Bugün hava çok güzel, ailece parkta yürüyüşe çıkıyoruz, ıhlamurlar açmış.",
    "ru": "Сегодня прекрасная погода: мы идём в парк, а вечером сор вынесем и посмотрим кино в 20:00.",
    "ar": "الطقس جميل اليوم، سنذهب للتنزه في الحديقة مع العائلة الساعة ٨.",
    "ja": "今日はとても良い天気ですね。みんなで公園へ散歩に行きましょう。",
    "ko": "오늘은 날씨가 정말 좋네요. 가족과 함께 공원에 산책하러 갑시다.",
    "zh": "今天天气很好，我们全家一起去公园散步吧。",
    "hi": "आज मौसम बहुत अच्छा है, हम सब पार्क में घूमने जा रहे हैं।",
}


def found(text: str, terms: Terms = TERMS) -> list[str]:
    """The pieces of a text in which terms were found."""
    return [text[slice(*finding.span)] for finding in terms.find(text, part="body") if finding.span]


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "viagra",
            "VIAGRA",
            "ViAgRa",
            "Vïägrâ",
            "v\u0336i\u0336a\u0336g\u0336r\u0336a",
            "ＶＩＡＧＲＡ",
            "𝓿𝓲𝓪𝓰𝓻𝓪",
            "ⓥⓘⓐⓖⓡⓐ",
        ),
        *("🆅🅸🅰🅶🆁🅰", "🇻🇮🇦🇬🇷🇦", "vіаgrа", "Vιagra", "v1agra", "v!@gr@", "v|agr4", "viiiiiagraaa", "viiagra"),
        *("v i a g r a", "v.i.a.g.r.a", "V-I-A-G-R-A", "v\ni\na\ng\nr\na", "v * i * a * g * r * a"),
        *("v\u200bi\u200da\u2060gra", "vi\u00adagra", "v\u202eiagra", "v\u034fiagra", "vi\ufe0fagra"),
        *(
            "k1ll",
            "ki11",
            "k111",
            "kiiiill",
            "b0$$",
            "free   money",
            "FREE-money",
            "f r e e m o n e y",
            "free m.o.n.e.y",
            "f-r-e-e m0ney",
            "fr33 m0n3y",
        ),
        *("казино", "КАЗИНО", "кaзинo", "к а з и н о", "1488", "赌博", "비아그라"),
    ],
)
@pytest.mark.parametrize("frame", ["{}", "so: {}, ok", "«{}»", "_{}_ 👋🏽 é"])
def test_a_term_is_found_however_it_is_dressed_up(piece: str, frame: str) -> None:
    text = frame.format(piece)
    assert found(text) == [piece]


@pytest.mark.parametrize(
    "text",
    [
        *("skill", "Scun-thorpe", "boss's-eyeview"[4:], "what", "hate", "chat", "the hatter", "good", "l488", "14880"),
        *("8055", "1111", "1 1 1 1", "a b c d", "v i a", "v i s a", "casino", "кино", "freemoney", "free and money"),
    ],
)
def test_longer_words_and_numbers_are_not_taken_for_terms(text: str) -> None:
    assert found(text) == []


def test_a_list_may_ask_for_pieces_of_words() -> None:
    assert found("Scunthorpe") == ["cunt"]


@pytest.mark.parametrize("language", PROSE)
def test_prose_has_no_terms(language: str) -> None:
    harmless = Terms(lists=tuple(one for one in TERMS.lists if one.name == "pills"), version="1")
    assert found(PROSE[language] * 3, harmless) == found(PROSE[language].replace("hats", "coats") * 3, harmless) == []
    assert found(PROSE[language] * 3, SHIPPED) == []


def test_words_in_their_own_script_are_not_read_as_another() -> None:
    cop = parse_terms("a: {words: [cop]}")
    assert found("Вынеси сор из избы, пожалуйста", cop) == []
    assert found("that сор is a cор", cop) == ["сор", "cор"]


@pytest.mark.parametrize("text", ["double your bitcoin", "D0uble  y0ur  bitc0in", "GRUMBLESNATCHES", "флюмпельный"])
def test_the_shipped_lists_find_what_they_say(text: str) -> None:
    assert len(found(text, SHIPPED)) == 1


def test_a_finding_names_its_list_and_the_version_of_all_lists() -> None:
    (finding,) = TERMS.find("cheap viagra", part="caption")
    assert (finding.detector, finding.label, finding.confidence) == ("terms", "term/pills", 100.0)
    assert (finding.part, finding.span, finding.detector_version) == ("caption", (6, 12), TERMS.version)


def test_the_version_follows_what_the_lists_say_and_not_how() -> None:
    same = "\n# the same\nb: {words: [two, Öne]}\na: {words: [x1], match: word}\n"
    assert parse_terms(same).version == parse_terms("{a: {words: [X1]}, b: {words: [one, TWO, two]}}").version
    assert parse_terms(same).version != parse_terms(same.replace("word}", "anywhere}")).version
    assert parse_terms(same).version != parse_terms(same.replace("x1", "x2")).version


def test_without_lists_nothing_is_found() -> None:
    assert NO_TERMS.find("viagra", part="body") == ()


def test_more_than_fit_are_held() -> None:
    labels = [finding.label for finding in TERMS.find("viagra " * (MAX_FINDINGS + 1), part="body")]
    assert labels == ["term/pills"] * MAX_FINDINGS + ["unreadable/term-count"]
    assert len(TERMS.find("viagra " * MAX_FINDINGS, part="body")) == MAX_FINDINGS


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_span_is_in_the_text_whatever_stands_around(before: str, after: str) -> None:
    text = f"{before} viagra {after}"
    assert any("viagra" in piece for piece in found(text))


@pytest.mark.parametrize(
    "text",
    ["a " * 60_000, "1" * 120_000, "il1" * 40_000, "s" * 120_000, "." * 120_000, "b\u0301" * 60_000, "боss " * 24_000],
    ids=["row", "ones", "shared", "drawn", "dots", "marks", "mixed"],
)
def test_a_hostile_text_takes_no_longer_than_others(text: str) -> None:
    terms = parse_terms("a: {words: [ass, kill, aaab, viagra, illi], match: anywhere}\nb: {words: [ass, lilli]}")
    terms.find("compiled", part="body")
    begin = time.process_time()
    terms.find(text, part="body")
    # Quadratic, each of these takes minutes.
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["t:1: the list of terms is empty"]),
        ("- a", ["t:1: the list of terms: must be a mapping of names to values"]),
        ("a: 1", ["t:1: a: must be a mapping of names to values"]),
        ("a: {match: word}", ['t:1: a: "words" is missing']),
        ("a: {words: [abc], mach: word}", ['t:1: a: unknown key "mach"; the nearest is "match"']),
        (
            "a:\n  words:\n    - x\n    - 12\n    - '!!'\n  match: some",
            ['t:3: "x"', "t:4: a term", 't:5: "!!"', "t:6: match"],
        ),
        ("A b: {words: [abc]}", ['t:1: "A b": a list is named']),
        ("a: {words: abc}\na: {words: [abc]}", ["t:1: words: must be a list", 't:2: "a" stands twice']),
        (f"a: {{words: [{'x' * 90}]}}", ["t:1: "]),
    ],
)
def test_every_mistake_is_told_with_its_line(text: str, problems: list[str]) -> None:
    with pytest.raises(TermsError) as told:
        parse_terms(text, source="t")
    said = str(told.value).split("\n")
    assert len(said) == len(problems)
    assert all(line.startswith(problem) for line, problem in zip(said, problems, strict=True))


def test_ten_thousand_terms_are_read_in_one_pass() -> None:
    words = ", ".join(f'"{a}{b}{c}d"' for a in "bcdfghjklmnpqrstvwxz" for b in "aeiouy" for c in "bcdfgklmnprstvxz")
    terms = parse_terms(f"a: {{words: [{words}]}}")
    assert found("a baxd in the sun", terms) == ["baxd"]
