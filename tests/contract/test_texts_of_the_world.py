"""Texts in many languages and scripts through the real chain: masked where they must be, and cut nowhere else."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest

from deploy.local.run import LocalCloud
from tasks.act.mask import mask
from tasks.aws.session import Aws
from tasks.decide.decision import Decision, Tier, decide
from tasks.decide.policy import Policy
from tasks.detect.chain import TextChain
from tasks.detect.text import look_at_text
from tasks.ledger import looked, open_ledger
from tests.contract.shipped import connected, shipped_chain, shipped_policy

#: Language -> a sentence that holds {mail} and {phone}, between letters that shift whoever counts bytes or UTF-16.
SENTENCES = {
    "en": "🎉 Write to {mail} or call {phone}, whenever you like 👋🏽",
    "es": "¡Hola! 🎉 Escríbeme a {mail} o llámame mañana al {phone}, por favor 👋🏽",
    "fr": "Écris-moi à {mail} 👩‍👩‍👧 ou appelle-moi demain au {phone}, s'il te plaît",
    "de": "Schreib mir bitte an {mail} 🏴󠁧󠁢󠁥󠁮󠁧󠁿 oder ruf morgen früh wieder an: {phone} 🎉",
    "pt": "Escreva para {mail} 🇧🇷 ou ligue amanhã de manhã para {phone}, não esqueça",
    "ru": "Если вы ещё здесь, напишите мне на {mail} 🎉 или позвоните, чтобы мы встретились: {phone} 👋🏽",
    "el": "Γράψε μου στο {mail} 🎉 ή πάρε με αύριο το πρωί στο {phone} σε παρακαλώ",
    "ar": "راسلني على {mail} 🎉 أو اتصل بي غدا صباحا على الرقم {phone} من فضلك",
    "he": "כתבו לי אל {mail} 🎉 או התקשרו מחר בבוקר למספר {phone} בבקשה",
    "hi": "मुझे {mail} पर लिखें 🎉 या कल सुबह {phone} पर फ़ोन करें, धन्यवाद",
    "zh": "请联系{mail}。🎉或者明天早上打电话给我{phone}。谢谢大家",
    "ja": "{mail}にメールするか、🎉明日の朝{phone}に電話してください。お願いします",
    "ko": "{mail}으로 메일 주시거나 🎉 내일 아침 {phone}으로 전화해 주세요",
    "th": "เขียนถึงฉันที่ {mail} 🎉 หรือโทรพรุ่งนี้เช้าที่ {phone} นะคะ ขอบคุณมาก",
}
MAIL, PHONE = "jane.doe@mail.example", "+49 30 901820"
READ = ("en", "es")
#: Long enough for several calls of each detector.
MANY = 1_200


@pytest.fixture(scope="module")
def aws(cloud: LocalCloud) -> Aws:
    return connected(cloud)[0]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return shipped_policy()


@pytest.fixture(scope="module")
def chain(policy: Policy) -> TextChain:
    """The chain of a surface where everything is looked for."""
    return shipped_chain(policy, pii="always", toxicity="always")


def decided(aws: Aws, text: str, *, chain: TextChain, policy: Policy) -> tuple[Decision, dict[str, str]]:
    """The decision about a text on the messages surface, and which detectors have looked."""
    with open_ledger():
        findings = look_at_text(aws, text, chain=chain)
        return decide(findings, policy, policy.surface_for("messages/x")), looked()


def masked(decision: Decision, text: str) -> str:
    return mask(text, [(span.begin, span.end, span.kind) for span in decision.spans])


@pytest.mark.parametrize("checks", [False, True], ids=["guardrail", "inline checks"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("language", SENTENCES)
def test_personal_data_is_masked_to_the_letter(
    aws: Aws, chain: TextChain, policy: Policy, *, language: str, form: str, checks: bool
) -> None:
    sentence = unicodedata.normalize(form, SENTENCES[language])
    text = sentence.format(mail=MAIL, phone=PHONE)
    decision, looked_at = decided(aws, text, chain=replace(chain, guardrail_checks=checks), policy=policy)
    assert decision.tier is Tier.REDACT
    assert masked(decision, text) == sentence.format(mail="[EMAIL]", phone="[PHONE]")
    assert looked_at["comprehend-pii"] == ("unversioned" if language in READ else f"en-fallback:{language}")
    assert looked_at["comprehend-toxicity"] == ("unversioned" if language == "en" else f"unsupported:{language}")
    assert looked_at["guardrail"] == ("checks" if checks else "1")


@pytest.mark.parametrize("language", ["es", "de", "ar", "zh", "th"])
def test_a_long_text_is_masked_at_every_cut(aws: Aws, chain: TextChain, policy: Policy, language: str) -> None:
    sentence = SENTENCES[language]
    text = sentence.format(mail=MAIL, phone=PHONE) * MANY
    decision, _ = decided(aws, text, chain=replace(chain, toxicity="never"), policy=policy)
    assert decision.tier is Tier.REDACT
    assert masked(decision, text) == sentence.format(mail="[EMAIL]", phone="[PHONE]") * MANY


@pytest.mark.parametrize("language", SENTENCES)
def test_a_violation_is_seen_within_any_language(aws: Aws, chain: TextChain, policy: Policy, language: str) -> None:
    half = SENTENCES[language].format(mail="", phone="") * 200
    decision, _ = decided(
        aws, f"{half} those people are vermin {half}", chain=replace(chain, pii="never"), policy=policy
    )
    assert decision.tier is Tier.REJECT
