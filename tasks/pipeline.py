"""One item's whole life: detect, decide, act, record.

A message becomes items in `tasks.intake`; each item comes through here in one run, as function calls, not
queue hops. Only a video waits: its job runs at Rekognition, and a delayed message looks in on it.

Every step can run twice and do its work once: the decision is written on a condition, each action leaves a
receipt, and a second delivery goes on from the first action without one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from tasks.act.edge import around
from tasks.act.missing import Missing
from tasks.act.notify import with_reasons
from tasks.act.perform import perform
from tasks.act.plan import STATUS_OF, Action, plan, rehearse, time_to_takedown_ms
from tasks.act.strike import is_strike
from tasks.act.tag import distrust, hide, show
from tasks.aws.faults import Gone, Moved
from tasks.brake import brake, note_braked, note_settled
from tasks.decide.decision import decide
from tasks.decide.rendition import is_of_rejected
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.job import Job, free_slot
from tasks.detect.kind import Kind
from tasks.detect.look import look_at_words
from tasks.detect.reuse import (
    Beside,
    Met,
    Sight,
    asking,
    is_condemned,
    job_goes_on,
    look_once,
    looked_once,
    meet,
    remember_video,
)
from tasks.fail_open import fails_open
from tasks.first_standing import first_standing
from tasks.intake.message import VideoCheck
from tasks.intake.post import WORDS, Manifest, read_post
from tasks.intake.submission import Submission
from tasks.intake.upload import Upload
from tasks.item import Item
from tasks.ledger import looked, note_decided, note_end, note_item, note_looked, trace, traced
from tasks.outcome import Done, Outcome, Parked, Retry, Skipped
from tasks.own_write import own_write, restored, submitted
from tasks.post import NESTED, POST, VERSION, Later, look_at_parts
from tasks.record.entries import entries_of
from tasks.record.standing import Standing, Status
from tasks.record.state import Older, Taken
from tasks.shadow import shadow_beside
from tasks.under import under_its_own
from tasks.video import look_in, look_in_later

#: Where an item's own tag still decides what the public sees of it.
STILL_THERE = (Status.PENDING, Status.ALLOWED, Status.HELD)
RUNNING = Done("the video's job is running")
#: Seconds after which a dry run looks again whether it has ended, for what was to be taken down before it began.
DRY_RUN_WAIT = 60.0


def moderate(desk: Desk, item: Item, *, attempt: int, said: Submission | None = None, within: str = "") -> Outcome:
    """Judge an upload and act on the judgement. Raises Fault when AWS would not let it.

    The names that a submission `said` win over its own. `within` a post (its location), it is judged as its part.
    """
    if item.bucket not in desk.settings.uploads_buckets:
        return Parked(f"an event for the bucket {item.bucket!r}, which is not MODFLEET_UPLOADS_BUCKET")
    note_item(item, surface=desk.policy.surface_of(item).name)
    if attempt > 1 and (known := desk.state.find(item)):
        return resume(desk, known)
    with asking(desk, item):
        return meet_and_judge(desk, item, attempt=attempt, said=said, within=within)


def meet_and_judge(desk: Desk, item: Item, *, attempt: int, said: Submission | None, within: str) -> Outcome:
    """Open an upload, with what is known of its bytes, and judge it unless there is a reason not to."""
    try:
        upload, met = meet(desk, item)
    except Gone:
        return set_aside(desk, item, Status.GONE)
    if not upload.is_of(item):
        return set_aside(desk, item, Status.SUPERSEDED)
    upload = upload.as_submitted(said) if said else upload
    if known := submitted(desk, item, upload) or restored(desk, item, upload):
        return resume(desk, known)
    ended = own_write(desk, item, upload, attempt=attempt, submitting=said is not None)
    return ended or judge(desk, item, upload, met, within=within)


def judge(desk: Desk, item: Item, upload: Upload, met: Met, *, within: str) -> Outcome:
    """Detect, then conclude; a video's job is started and concluded later, a post has its parts judged first."""
    standing = first_standing(desk, item, upload, within=within)
    if upload.tagged and not desk.settings.dry_run and (outcome := without_its_own_verdict(desk, item)):
        return outcome
    try:
        upload, manifest = read_post(desk, item, upload)
    except (Gone, Moved):
        return set_aside(desk, item, Status.GONE)
    if manifest is None:
        return judge_alone(desk, standing, upload, met)
    return NESTED if within else judge_post(desk, standing, upload, met, manifest=manifest)


def judge_alone(desk: Desk, standing: Standing, upload: Upload, met: Met) -> Outcome:
    """Look at an item that is no post, and conclude, unless a video's job has yet to tell."""
    item, surface = standing.item, desk.policy.surface_of(standing.item)
    words = "" if is_condemned(desk, met) else upload.caption
    caption = look_at_words(desk, item, text=words, part="caption", surface=surface)
    try:
        seen = look_once(desk, item, upload, met=met, kind=standing.kind, surface=surface)
    except (Gone, Moved):
        return set_aside(desk, item, Status.GONE)
    if isinstance(seen, Job):
        return begin_video(desk, replace(standing, findings=(*caption, *seen.seen)), seen)
    standing = replace(standing, reused_from=seen.reused_from)
    return conclude(desk, standing, (*caption, *seen.findings), beside=seen.beside)


def judge_post(desk: Desk, standing: Standing, upload: Upload, met: Met, *, manifest: Manifest) -> Outcome:
    """Look at all parts of a post, then at its own words, and conclude; or come back for parts that are late."""
    parts = look_at_parts(desk, standing.item, manifest, moderate=partial(moderate, within=standing.item.location))
    if isinstance(parts, Later):
        return Retry(parts.seconds, parts.why, counts=False)
    item, surface = standing.item, replace(desk.policy.surface_of(standing.item), text_paths=WORDS)
    caption = look_at_words(desk, item, text=upload.caption, part="caption", surface=surface)
    seen: Sight | Job = Sight(findings=(met.known,) if met.known else ())
    if manifest.text.strip():
        try:
            seen = look_once(desk, item, upload, met=met, kind=standing.kind, surface=surface)
        except (Gone, Moved):
            return set_aside(desk, item, Status.GONE)
    assert isinstance(seen, Sight)  # a manifest is no video
    note_looked(POST, VERSION)
    standing = replace(standing, kind=Kind.POST, parts=parts.items, detectors=parts.detectors)
    return conclude(desk, standing, (*caption, *seen.findings, *parts.findings), beside=seen.beside)


def without_its_own_verdict(desk: Desk, item: Item) -> Outcome | None:
    """Drop a verdict that an upload brought along. An outcome where there is nothing left to judge.

    The tag may be ours: then this is a second delivery, and what the first one has shown or hidden stays so.
    """
    known, dropped = desk.state.find(item), False
    if known is None or not known.decided:
        try:
            dropped = distrust(desk, item)
        except Gone:
            return set_aside(desk, item, Status.GONE)
        known = desk.state.find(item) if dropped else None
    if known is None or not known.decided:
        return None
    for action, put_back in ((Action.SHOW, show), (Action.HIDE, hide)):
        if dropped and action in known.plan and known.status in STILL_THERE:
            with suppress(Missing):
                put_back(desk, known)
    return resume(desk, known)


def conclude(desk: Desk, standing: Standing, findings: tuple[Finding, ...], *, beside: Beside = ()) -> Outcome:
    """Decide, record the decision once (and beside it what to remember), and act on it."""
    if desk.again:
        return desk.again(standing, findings, beside)
    decided = desk.spending.charged(with_reasons(desk, with_decision(desk, standing, findings)))
    try:
        recorded = desk.state.decide(decided, beside=(*beside, *note_braked(desk, decided)))
    except Older:
        return set_aside(desk, standing.item, Status.SUPERSEDED)
    if recorded is not decided:
        return resume(desk, recorded)
    note_decided()
    if beside:
        looked_once(desk, standing.item)
    return act(desk, recorded)


def act(desk: Desk, standing: Standing) -> Outcome:
    """Do what is left to do, write it all to the audit log, and record where the item stands."""
    standing, status = perform(desk, standing)
    standing = replace(standing, status=status, time_to_takedown_ms=(takedown_ms := time_to_takedown_ms(standing)))
    write_down(desk, standing)
    if standing.plan:
        desk.state.finish(standing.item, status=status, time_to_takedown_ms=takedown_ms, at=desk.now())
        note_settled(desk, standing)
    return tell(standing)


def resume(desk: Desk, known: Standing) -> Outcome:
    """Go on where an earlier delivery stopped."""
    if known.status is Status.PENDING and not known.decided:
        return wait_for_video(desk, VideoCheck(item=known.item, job_id=known.job_id, check=1))
    if known.status is not Status.PENDING:
        # Only the audit log may be unfinished; the same entry ids, written again, do no harm.
        write_down(desk, known)
        return Skipped(f"already {known.status}")
    if desk.settings.dry_run and not known.dry_run:
        return Retry(DRY_RUN_WAIT, "decided before the dry run, which touches nothing", counts=False)
    try:
        return act(desk, desk.state.take(known.item, now=desk.now().timestamp(), seconds=desk.lease_seconds))
    except Taken as holder:
        return Retry(max(1.0, holder.until - desk.now().timestamp()), "another run is acting on it", counts=False)


def begin_video(desk: Desk, standing: Standing, job: Job) -> Outcome:
    """Record that a job is looking at a video, and look in on it later."""
    version = desk.policy.version
    standing = replace(standing, job_id=job.id, job_started_at=desk.now(), detectors=looked(), policy_version=version)
    try:
        known = desk.state.begin(desk.spending.charged(standing))
    except Older:
        free_slot(desk, standing.item)
        return set_aside(desk, standing.item, Status.SUPERSEDED)
    if known.decided:
        free_slot(desk, standing.item)
        return resume(desk, known)
    job_goes_on(desk, standing)
    return wait_for_video(desk, VideoCheck(item=standing.item, job_id=job.id, check=1), soon=job.joined)


def check_video(desk: Desk, check: VideoCheck, *, told: bool = False) -> Outcome:
    """Conclude a video if its job has finished, else look in later; if we were `told` that it has, that is arranged."""
    standing = desk.state.find(check.item)
    if standing is None:
        return Skipped("no such video is being looked at")
    if standing.status is not Status.PENDING or standing.decided:
        return resume(desk, standing)
    note_item(check.item, surface=standing.surface)
    desk = under_its_own(desk, standing)
    try:
        job_id, findings = look_in(desk, standing, job_id=check.job_id)
    except Gone:
        return set_aside(desk, check.item, Status.GONE)
    if findings is None and told and job_id == check.job_id:
        return RUNNING
    if findings is None:
        job_goes_on(desk, standing)
        return wait_for_video(desk, replace(check, job_id=job_id, check=check.check + 1))
    findings = (*standing.findings, *findings)
    return conclude(desk, standing, findings, beside=remember_video(desk, standing, findings))


def wait_for_video(desk: Desk, check: VideoCheck, *, soon: bool = False) -> Outcome:
    """Look in on the job later."""
    look_in_later(desk, check, soon=soon)
    return RUNNING


def set_aside(desk: Desk, item: Item, status: Status, *, why: str = "") -> Outcome:
    """Record that there was nothing to judge: it is gone, or something newer took its place."""
    known = desk.state.find(item)
    if known and known.decided:
        return resume(desk, known)
    entry = {"at": desk.now().isoformat(), "event": status.value, **({"why": why} if why else {}), **traced()}
    standing = Standing(item=item, status=status, history=(entry,), trace=trace())
    desk.state.set_aside(standing)
    write_down(desk, standing)
    return tell(standing)


def write_down(desk: Desk, standing: Standing) -> None:
    """Write it all to the audit log, with what this run has spent: returns when it is there."""
    desk.spending.settle()
    desk.audit.append(entries_of(standing))


def with_decision(desk: Desk, standing: Standing, findings: tuple[Finding, ...]) -> Standing:
    """The standing with its decision and the actions that this asks for."""
    surface = desk.policy.surface_of(standing.item)
    standing, decision = brake(desk, standing, decide(findings, desk.policy, surface))
    now, rules = desk.now(), tuple(rule.name for rule in decision.rules)
    actions = plan(
        decision.tier,
        surface,
        **around(desk, standing),
        within=bool(standing.within) or is_of_rejected(findings),
        strikes=is_strike(desk, standing, rules=rules, findings=findings),
    )
    actions, would = rehearse(actions) if desk.settings.dry_run else (actions, None)
    entry = {"at": now.isoformat(), "event": "decided", "tier": int(decision.tier), "rules": list(rules), **traced()}
    entry |= {"dry_run": True} if desk.settings.dry_run else {}
    return replace(
        standing,
        status=Status.PENDING if actions else STATUS_OF[decision.tier],
        tier=int(decision.tier),
        rules=rules,
        policy_version=decision.policy_version,
        detectors={**standing.detectors, **looked(), **{seen.detector: seen.detector_version for seen in findings}},
        findings=findings,
        shadow=shadow_beside(desk, standing, decision),
        spans=tuple((span.begin, span.end, span.kind) for span in decision.spans),
        plan=actions,
        would=would,
        history=(*standing.history, entry),
        decided_at=now,
        lease_until=now.timestamp() + desk.lease_seconds if actions else 0.0,
    )


def tell(standing: Standing) -> Outcome:
    """Note where the item has come to stand: `worker.seeing` counts it and writes its one line."""
    note_end(standing, fails_open=fails_open(standing))
    return Done(standing.status.value)
