"""A fate in words, as short as a table wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.local.demo.fate import Fate

#: Status -> the tier that led to it.
TIERS = {"allowed": "allow", "redacted": "mask", "held": "hold", "rejected": "reject"}

#: Action -> what was done, and how much it matters where there is no room for all.
_DONE = {
    "show": ("shown", 9),
    "hide": ("hidden", 5),
    "purge": ("purged", 1),
    "quarantine": ("quarantined", 7),
    "redact": ("masked", 9),
    "remove": ("removed", 8),
    "verify": ("verified", 2),
    "open_case": ("case opened", 9),
    "notify": ("notified", 4),
}
_UNREADABLE = {
    "empty": "empty file",
    "unknown-kind": "unknown file type",
    "image-format": "broken image",
    "image-size": "image of a wrong size",
    "image-refused": "image refused",
    "image-bomb": "image of too many pixels",
    "video-job": "broken video",
    "text-size": "text too long",
    "text-encoding": "text in no known encoding",
}
_PII = {
    "EMAIL": "e-mail",
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER": "IBAN",
    "CREDIT_DEBIT_NUMBER": "card number",
    "SSN": "SSN",
    "IP_ADDRESS": "IP address",
}
_LEVELS = ((90, "high"), (60, "medium"), (0, "low"))


def seen(fate: Fate) -> tuple[str, str]:
    """What was seen, and how surely: the finding that decided, or the strongest that did not matter."""
    decisive = fate.decisive
    if decisive and decisive[0]["label"].startswith("pii/"):
        kinds = dict.fromkeys(_named_pii(finding) for finding in decisive)
        return ", ".join(kinds), ""
    finding = decisive[0] if decisive else _strongest(fate)
    if finding is None:
        return "nothing", ""
    others = {f["label"] for f in decisive if not finding["label"].startswith(f["label"])}
    what, sure = _said(finding)
    if fate.is_reused:
        return what, f"{sure}, known"
    return what, f"{sure} +{len(others)}" if others else sure


def decision(fate: Fate) -> str:
    """The tier, and the threshold that was reached: `reject ≥ 90`."""
    thresholds = dict.fromkeys(rule.split(">=")[1].lower() for rule in fate.rules if ">=" in rule)
    tier = TIERS.get(fate.status, fate.status)
    return f"{tier} ≥ {next(iter(thresholds))}" if len(thresholds) == 1 else tier


def done(fate: Fate, *, width: int) -> str:
    """What was done in order; where `width` is too short for all, what matters most."""
    actions = [_DONE.get(action, (action, 3)) for action in fate.receipts]
    if not actions:
        return "untouched" if fate.is_final else ""
    while len(actions) > 1 and len(_joined(actions)) > width:
        actions.remove(min(actions, key=lambda action: action[1]))
    return _joined(actions)


def duration(milliseconds: float) -> str:
    """`85 ms`, `1.2 s`."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def _joined(actions: list[tuple[str, int]]) -> str:
    return ", ".join(word for word, _ in actions)


def _strongest(fate: Fate) -> Mapping[str, Any] | None:
    """Of findings that led to nothing, the one to show: the classifier's word first, then the most specific."""
    telling = [f for f in fate.findings if not f["label"].startswith("content-type/")]
    rank = {"classifier": 2, "moderation": 1}
    return max(
        telling,
        key=lambda f: (rank.get(f["label"].split("/")[0], 0), f["label"].count("/"), f["confidence"]),
        default=None,
    )


def _said(finding: Mapping[str, Any]) -> tuple[str, str]:
    kind, _, rest = str(finding["label"]).partition("/")
    if kind == "moderation":
        return rest.rsplit("/", 1)[-1], _percent(finding) + _when(finding)
    if kind == "guardrail":
        return _said_by_guardrail(rest, float(finding["confidence"]))
    if kind == "classifier":
        severity = round(float(finding["confidence"]) * 3 / 100)
        return ("cleared by classifier", "") if rest == "allow" else (finding["rule"], f"severity {severity}")
    if kind == "unreadable":
        return _UNREADABLE.get(rest, f"unreadable: {rest.replace('-', ' ')}"), ""
    if kind == "term":
        return "banned words", ""
    return (_named_pii(finding), "") if kind == "pii" else (rest or kind, _percent(finding))


def _said_by_guardrail(rest: str, confidence: float) -> tuple[str, str]:
    group, _, name = rest.partition("/")
    if group == "word":
        return ("blocked word" if name == "custom" else "swearing"), ""
    if group == "topic":
        return f"topic {name}", ""
    return rest.lower().replace("_", " "), next(level for least, level in _LEVELS if confidence >= least)


def _named_pii(finding: Mapping[str, Any]) -> str:
    kind = str(finding["label"]).removeprefix("pii/")
    where = "" if finding.get("part", "body") == "body" else f" in the {finding['part']}"
    return _PII.get(kind, kind.lower().replace("_", " ")) + where


def _percent(finding: Mapping[str, Any]) -> str:
    return f"{finding['confidence']:.1f}".removesuffix(".0")


def _when(finding: Mapping[str, Any]) -> str:
    part = str(finding.get("part", ""))
    if part.startswith("frame:"):
        return f" in frame {part.removeprefix('frame:').split()[0]}"
    return f" at {finding['time_ms'][0] / 1000:g} s" if finding.get("time_ms") else ""
