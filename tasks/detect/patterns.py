"""Find personal data by its own shape, in any language: the fallback where Comprehend does not read the language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from tasks.detect.finding import Finding
from tasks.ledger import note_looked

DETECTOR = "patterns"
VERSION = "1"

#: A name is looked for to the left of each of these, so that no long word costs more than its length.
_AT = re.compile(r"[@\uff20](?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}")
#: RFC 5321 allows a local part of 64 characters.
_LONGEST_NAME = 64
_IN_A_NAME = re.compile(r"[A-Za-z0-9._%+'\u00c0-\u024f\u0300-\u036f-]")
#: At most 34 characters: https://www.swift.com/standards/data-standards/iban
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ ]?[A-Za-z0-9]){11,30}")
_SHORTEST_IBAN = 15
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
#: Begins like a number that is dialled (+, 0 in several scripts) or is grouped like one of North America: what is
#: neither is as likely a price, a date or a score.
_PHONE = re.compile(
    r"(?<![A-Za-z\d+])(?<!\d\d[ .-])"
    r"(?:(?:\+\d|\(\+\d|\(?[0\u0660\u06f0\u0966\uff10])(?:[ ./()-]{0,3}\d){5,14}"
    r"|\(?[2-9]\d\d\)?[ .-]\d{3}[ .-]\d{4})(?!\d)"
)
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15
_DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{2,4}\b|\d{4}([./-])\d{1,2}\2\d{1,2}\b")
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?![\w:]|\.\d)"
)

Place = tuple[int, int]


def find_by_pattern(text: str, *, part: str) -> tuple[Finding, ...]:
    """E-mail addresses, IBANs, cards, IP addresses and phone numbers, in order; costs linear time and no call.

    Checksums are checked. What lies within something found before is not told again: the digits of an IBAN are no
    telephone.
    """
    note_looked(DETECTOR, VERSION)
    taken, found = bytearray(len(text)), list[Finding]()
    for kind, confidence, find in _FINDERS:
        for begin, end in find(text):
            if not any(taken[begin:end]):
                taken[begin:end] = b"\1" * (end - begin)
                found.append(_finding(kind, confidence, (begin, end), part))
    return tuple(sorted(found, key=lambda finding: finding.span or (0, 0)))


def _finding(kind: str, confidence: float, span: Place, part: str) -> Finding:
    return Finding(
        detector=DETECTOR,
        detector_version=VERSION,
        label=f"pii/{kind}",
        confidence=confidence,
        span=span,
        part=part,
    )


def _emails(text: str) -> Iterator[Place]:
    for host in _AT.finditer(text):
        begin = host.start()
        while begin > max(0, host.start() - _LONGEST_NAME) and _IN_A_NAME.match(text, begin - 1):
            begin -= 1
        if begin < host.start():
            yield begin, host.end()


def _ibans(text: str) -> Iterator[Place]:
    for match in _IBAN.finditer(text):
        begin, end = match.span()
        # A word that follows looks like more of the number: the checksum tells where it ends.
        while end > begin and not _is_iban(text[begin:end]):
            end -= 1
        if end > begin:
            yield begin, end


def _is_iban(text: str) -> bool:
    """ISO 13616: letters as numbers, the first four characters behind the others, modulo 97."""
    plain = text.replace(" ", "").upper()
    if len(plain) < _SHORTEST_IBAN or text != text.strip():
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _cards(text: str) -> Iterator[Place]:
    return (match.span() for match in _CARD.finditer(text) if _is_card(match[0]))


def _is_card(text: str) -> bool:
    """Luhn's sum: from the right, every second digit counts twice, by its digits."""
    digits = [int(char) for char in text if char.isdecimal()][::-1]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return any(digits) and (sum(digits[::2]) + doubled) % 10 == 0


def _ip_addresses(text: str) -> Iterator[Place]:
    return (match.span() for match in _ADDRESS.finditer(text) if _is_ip(match[0]))


def _is_ip(text: str) -> bool:
    try:
        return not ip_address(text).is_unspecified
    except ValueError:
        return False


def _phones(text: str) -> Iterator[Place]:
    for match in _PHONE.finditer(text):
        digits = sum(map(str.isdecimal, match[0]))
        if _FEWEST_DIGITS <= digits <= _MOST_DIGITS and not _DATE.match(match[0]):
            yield match.span()


#: Comprehend's types, how sure the pattern is, and what finds it: the surest first.
_FINDERS: tuple[tuple[str, float, Callable[[str], Iterator[Place]]], ...] = (
    ("EMAIL", 99.0, _emails),
    ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", 99.0, _ibans),
    ("CREDIT_DEBIT_NUMBER", 95.0, _cards),
    ("IP_ADDRESS", 90.0, _ip_addresses),
    ("PHONE", 80.0, _phones),
)
