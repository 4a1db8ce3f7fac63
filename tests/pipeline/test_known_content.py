"""What people have confirmed is judged by its list: by exact digest, without a look, and with a reason on record."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from counted import asked, elsewhere, judged
from fleet import Fleet, assert_chains_hold

from tasks.decide.policy_file import parse_policy
from tasks.record.standing import Status

BAD, FINE = "confirmed-violating", "confirmed-fine"
Modfleet = Callable[..., Any]


@pytest.fixture
def known(unserved: Fleet) -> Modfleet:
    """Run `modfleet known WORDS --json`, which must succeed; gives what it says."""

    def run(*words: str, code: int = 0) -> Any:
        done = unserved.modfleet("known", *words)
        assert done.code == code, done.err
        return done.json if "--json" in words else done.out + done.err

    return run


def test_a_file_on_a_list_is_rejected_wherever_it_is_uploaded(
    unserved: Fleet, picture: Callable[..., bytes], known: Modfleet, tmp_path: Path, unique: str
) -> None:
    body = picture()
    file = tmp_path / "terrible.png"
    file.write_bytes(body)
    said = known("add", BAD, str(file), "--reason", "court order 12", "--json")
    assert said == {"list": BAD, "added": 1, "there_already": 0}
    put = unserved.put(f"feed/{unique}", body, caption="what a lovely day")
    with asked(unserved) as made:
        standing = judged(unserved, put)
    sha256 = hashlib.sha256(body).hexdigest()
    assert (made, standing.status) == (Counter(), Status.REJECTED)
    assert standing.rules == (f"known/{BAD}/{sha256[:16]}",)
    assert standing.sha256 == sha256
    assert unserved.current(put) is None
    (entry,) = [one for one in known("list", BAD, "--json") if one["sha256"] == sha256]
    assert (entry["reason"], entry["source"], entry["entry"]) == ("court order 12", "terrible.png", sha256[:16])


def test_what_was_held_is_confirmed_as_fine_and_never_flagged_again(
    unserved: Fleet, picture: Callable[..., bytes], known: Modfleet, unique: str
) -> None:
    body = picture(labels={"Weapons": 75.0})
    first = unserved.put(f"feed/{unique}/1", body)
    assert judged(unserved, first).status is Status.HELD
    known("add", FINE, "--item", first.location, "--reason", "a museum's")
    with asked(unserved) as made:
        again = judged(unserved, unserved.put(f"feed/{unique}/2", body))
        shown = judged(unserved, unserved.put(f"avatars/{unique}/3", body))
    assert (made, again.status, again.tier) == (Counter(), Status.ALLOWED, 0)
    assert shown.status is Status.ALLOWED
    assert [finding.label for finding in again.findings] == [f"known/{FINE}/{again.sha256[:16]}"]
    removed = known("remove", FINE, "--digest", again.sha256[:16], "--reason", "it was a real one", "--json")
    assert removed == {"list": FINE, "removed": 1}
    assert judged(unserved, unserved.put(f"feed/{unique}/4", body)).status is Status.HELD


def test_a_caption_beside_what_is_fine_is_still_read(
    unserved: Fleet, picture: Callable[..., bytes], known: Modfleet, tmp_path: Path, unique: str
) -> None:
    body = picture()
    (tmp_path / "fine.png").write_bytes(body)
    known("add", FINE, str(tmp_path / "fine.png"), "--reason", "ours")
    standing = judged(unserved, unserved.put(f"feed/{unique}", body, caption="zorblat"))
    assert standing.status is Status.REJECTED


def test_what_was_rejected_is_put_on_the_list_from_quarantine(
    unserved: Fleet, picture: Callable[..., bytes], known: Modfleet, unique: str
) -> None:
    body = picture(labels={"Weapons": 99.0})
    first = unserved.put(f"feed/{unique}/1", body)
    assert judged(unserved, first).status is Status.REJECTED
    known("add", BAD, "--item", first.location, "--reason", "seen often")
    again = judged(unserved, unserved.put(f"feed/{unique}/2", body))
    assert again.rules == (f"known/{BAD}/{hashlib.sha256(body).hexdigest()[:16]}",)


def test_a_digest_alone_is_found_in_new_uploads_only_where_all_are_read_through(
    unserved: Fleet, picture: Callable[..., bytes], known: Modfleet, unique: str
) -> None:
    body = picture()
    known("add", BAD, "--digest", hashlib.sha256(body).hexdigest().upper(), "--reason", "shared by another site")
    desk = elsewhere(unserved)
    assert judged(unserved, unserved.put(f"feed/{unique}/1", body), desk).status is Status.ALLOWED
    # It was looked at before, so that this time its digest is taken.
    assert judged(unserved, unserved.put(f"feed/{unique}/2", body), desk).status is Status.REJECTED
    reader = replace(desk, settings=desk.settings.model_copy(update={"hash_all": True}))
    other = body + b"!"
    known("add", BAD, "--digest", hashlib.sha256(other).hexdigest(), "--reason", "shared by another site")
    with asked(unserved) as made:
        assert judged(unserved, unserved.put(f"feed/{unique}/3", other), reader).status is Status.REJECTED
    assert made == Counter()


def test_a_small_text_is_known_by_its_digest_at_once(unserved: Fleet, known: Modfleet, unique: str) -> None:
    body = f"buy followers at {unique}".encode()
    known("add", BAD, "--digest", hashlib.sha256(body).hexdigest(), "--reason", "spam")
    with asked(unserved) as made:
        assert judged(unserved, unserved.put(f"feed/{unique}", body), elsewhere(unserved)).status is Status.REJECTED
    assert made == Counter()


def test_a_file_of_digests_is_added_whole_and_every_entry_is_in_the_audit_log(
    unserved: Fleet, known: Modfleet, tmp_path: Path, unique: str
) -> None:
    digests = [hashlib.sha256(f"{unique} {n}".encode()).hexdigest() for n in range(450)]
    file = tmp_path / "shared.sha256"
    file.write_text("# shared by others\n" + "".join(f"{digest}  {n}.jpg\n" for n, digest in enumerate(digests)))
    known("add", BAD, "--digest", digests[0], "--reason", "known before")
    said = known("add", BAD, "--from", str(file), "--reason", "an industry list", "--json")
    assert said == {"list": BAD, "added": 449, "there_already": 1}
    lines = unserved.audit_lines()
    assert_chains_hold(lines)
    added = [line for line in lines if line["event"] == "known-added" and line["sha256"] in digests]
    assert Counter(line["reason"] for line in added) == {"known before": 1, "an industry list": 449}
    assert len({line["entry_id"] for line in added}) == 450


def test_a_list_that_the_policy_holds_is_looked_at_as_well(
    unserved: Fleet, picture: Callable[..., bytes], known: Modfleet, tmp_path: Path, unique: str
) -> None:
    body = picture(labels={"Weapons": 99.0})
    (tmp_path / "file").write_bytes(body)
    known("add", FINE, str(tmp_path / "file"), "--reason", "doubtful")
    text = unserved.settings.policy_file.read_text("utf-8").replace("confirmed-fine: allow", "confirmed-fine: hold")
    desk = replace(unserved.desk, policy=parse_policy(text))
    standing = judged(unserved, unserved.put(f"feed/{unique}", body), desk)
    assert standing.status is Status.REJECTED
    assert "labels/Violence/Weapons>=90" in standing.rules


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "no-such-list", "--digest", "0" * 64, "--reason", "x"), "confirmed-fine, confirmed-violating"),
        (("add", BAD, "--reason", "x"), "name some content"),
        (("add", BAD, "--digest", "12ab", "--reason", "x"), "no SHA-256: '12ab'"),
        (("add", BAD, "no-such-file", "--reason", "x"), "no-such-file cannot be read"),
        (("add", BAD, "--item", "feed/1", "--reason", "x"), "write s3://BUCKET/KEY"),
        (("remove", BAD, "--digest", "12", "--reason", "x"), "give 8 or more"),
    ],
)
def test_what_cannot_be_meant_is_said(known: Modfleet, words: tuple[str, ...], said: str) -> None:
    assert said in known(*words, code=2)


def test_what_is_not_there_is_said(unserved: Fleet, known: Modfleet) -> None:
    assert "no entry of confirmed-fine begins with" in known(
        "remove", FINE, "--digest", "0" * 64, "--reason", "x", code=1
    )
    uri = f"s3://{unserved.settings.uploads_bucket}/never"
    assert "no worker has recorded" in known("add", BAD, "--item", uri, "--reason", "x", code=1)
