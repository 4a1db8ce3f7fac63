"""Videos and recordings that Rekognition does not read, by the first bytes of their containers."""

from __future__ import annotations

import re

#: Matroska and WebM (EBML), ASF and WMV, FLV, MPEG program streams and video, RealMedia: with bytes no text has.
_FILMS = (
    b"\x1aE\xdf\xa3",
    bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    b"FLV\x01",
    b"\0\0\1\xba",
    b"\0\0\1\xb3",
    b".RMF\0",
)
#: FLAC, MIDI, CAF, AMR, and MP3 with its tags in front (ID3 of any version there is).
_SOUNDS = (b"fLaC\0", b"MThd\0", b"caff\0", b"#!AMR\n", b"#!AMR-WB\n", b"ID3\2", b"ID3\3", b"ID3\4")
#: The form of a chunked file -> whether it is a film.
_FORMS = {(b"RIFF", b"AVI "): True, (b"RIFF", b"WAVE"): False, (b"FORM", b"AIFF"): False, (b"FORM", b"AIFC"): False}
#: A frame of MPEG audio layer II or III, or of AAC in ADTS. Layer I looks like the mark at the start of a UTF-16 text.
_MPEG_AUDIO = re.compile(rb"\xff[\xe2\xe3\xf2-\xf5\xfa-\xfd\xf0\xf1\xf8\xf9]")
#: The first packet of each codec for sound that Ogg carries; everything else in an Ogg may be a film.
_OGG_SOUND = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
#: Where an Ogg page with one segment has its content.
_OGG_CONTENT = 28
#: A transport stream repeats this byte at every packet; Blu-ray puts four bytes before each.
_SYNC, _PACKET, _STAMP = 0x47, 188, 4
_PACKETS = 4


def is_film(head: bytes) -> bool:
    """Whether these first bytes are of a video that is neither MP4 nor MOV."""
    if head.startswith(b"OggS\0"):
        return not head.startswith(_OGG_SOUND, _OGG_CONTENT)
    return head.startswith(_FILMS) or _FORMS.get(_form(head), False) or _is_transport_stream(head)


def is_sound(head: bytes) -> bool:
    """Whether these first bytes are of a recording without pictures."""
    if head.startswith(b"OggS\0"):
        return head.startswith(_OGG_SOUND, _OGG_CONTENT)
    return head.startswith(_SOUNDS) or not _FORMS.get(_form(head), True) or _MPEG_AUDIO.match(head) is not None


def _form(head: bytes) -> tuple[bytes, bytes]:
    return head[:4], head[8:12]


def _is_transport_stream(head: bytes) -> bool:
    return _has_syncs(head, 0, _PACKET) or _has_syncs(head, _STAMP, _PACKET + _STAMP)


def _has_syncs(head: bytes, first: int, step: int) -> bool:
    """Four packets in a row, and a header in the first that no text has: it says which stream it is of."""
    packets = head[first : first + _PACKETS * step : step]
    return packets == bytes([_SYNC] * _PACKETS) and any(
        byte < 0x20 or byte > 0x7F for byte in head[first + 1 : first + 4]
    )
