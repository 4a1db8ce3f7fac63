"""The one composition root: settings become clients, stores, the policy and the desk."""

from __future__ import annotations

import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from config.caps import CapsError, parse_caps
from config.prices import Prices, parse_prices
from config.settings import Settings, SettingsError
from tasks.aws.breaker import Breakers
from tasks.aws.budget import Budget
from tasks.aws.calls import Guard
from tasks.aws.limiter import Limiter
from tasks.aws.session import Aws, connect
from tasks.aws.slots import Slots
from tasks.clock import utc_now
from tasks.decide.policy import Policy
from tasks.decide.policy_file import parse_policy
from tasks.desk import Desk
from tasks.detect.opening import projector
from tasks.detect.picture import Converter
from tasks.detect.term_file import TermsError, parse_terms
from tasks.detect.terms import Terms
from tasks.record.audit import AuditLog
from tasks.record.heads import Heads
from tasks.record.known import Known
from tasks.record.seen import Seen
from tasks.record.seen_rows import SeenRows
from tasks.record.spending import Spending
from tasks.record.state import State


def wire(settings: Settings, *, breakers: Breakers | None = None, meter: Guard | None = None) -> Desk:
    """Everything a run works with. Raises PolicyError, TermsError or PricesError when a file is not what it should be.

    Raises SettingsError where a limit is set on an operation, or a cap on a detector, that does not exist.

    A worker hands in its breakers: its calls then heed them, and the fleet's limits. Commands are never held up.
    `meter` counts every try.
    """
    prices = parse_prices(settings.prices_file.read_text("utf-8"), source=settings.prices_file.name)
    spending = Spending(prices, utc_now)
    aws = connect(settings).guarded((meter,) if meter else ())
    if breakers is not None:
        aws = aws.guarded((breakers, *aws.store.guards, spending))
    budget = _budget(settings, aws, prices)
    if breakers is not None:
        aws = _guarded(settings, aws.guarded((*aws.store.guards, *((budget,) if budget else ()))))
    policy = parse_policy(settings.policy_file.read_text("utf-8"), source=settings.policy_file.name)
    return Desk(
        aws=aws,
        settings=settings,
        policy=policy,
        prompt=settings.classifier_file.read_text("utf-8"),
        state=State(aws, settings.items_table),
        audit=_audit(settings, aws, spending),
        now=utc_now,
        converter=_converter(settings),
        projector=_projector(settings),
        slots=_slots(settings, aws),
        seen=_seen(settings, aws),
        known=Known(aws, table=settings.items_table),
        hands=ThreadPoolExecutor(settings.post_threads, thread_name_prefix="part"),
        prices=prices,
        terms=_terms(settings, policy),
        shadow=_shadow(settings),
        spending=spending,
        budget=budget,
    )


def under(desk: Desk, policy: Policy) -> Desk:
    """The desk under another policy. Raises TermsError where that has a rule for terms that are not there."""
    _have_terms(desk.settings, desk.terms, policy)
    return replace(desk, policy=policy)


def _audit(settings: Settings, aws: Aws, spending: Spending) -> AuditLog:
    return AuditLog(
        aws,
        bucket=settings.audit_bucket,
        writer=writer_name(),
        now=utc_now,
        riders=spending.take,
        heads=Heads(aws, settings.items_table, settings.audit_bucket),
    )


def _terms(settings: Settings, policy: Policy) -> Terms:
    terms = parse_terms(settings.terms_file.read_text("utf-8"), source=settings.terms_file.name)
    _have_terms(settings, terms, policy)
    return terms


def _have_terms(settings: Settings, terms: Terms, policy: Policy) -> None:
    if unknown := sorted(set(policy.terms.lists) - {one.name for one in terms.lists}):
        raise TermsError(f"{settings.terms_file.name}: no list named {unknown}, for which the policy has a rule")


def _shadow(settings: Settings) -> Policy | None:
    """The shadow policy where it is a file; a stored one is read once somebody asks which policy is in force."""
    named = settings.shadow_policy
    if named is None or named.startswith("sha256:"):
        return None
    return parse_policy(Path(named).read_text("utf-8"), source=f"MODFLEET_SHADOW_POLICY {named}")


def _guarded(settings: Settings, aws: Aws) -> Aws:
    """With the limiter asked last: nobody waits for a token to call what is down, or over its cap."""
    if not settings.rate_limits:
        return aws
    if unknown := sorted(set(settings.rate_limits) - aws.operations()):
        raise SettingsError(f"MODFLEET_RATE_LIMITS: no such operation, so nothing would be limited: {unknown}")
    limiter = Limiter(aws, table=settings.items_table, quotas=settings.rate_limits)
    return aws.guarded((*aws.store.guards, limiter))


def _budget(settings: Settings, aws: Aws, prices: Prices) -> Budget | None:
    if not settings.daily_caps:
        return None
    try:
        caps = parse_caps(settings.daily_caps, prices, model=settings.classifier_model)
    except CapsError as error:
        raise SettingsError(f"MODFLEET_DAILY_CAPS:\n{error}") from None
    return Budget(aws, table=settings.items_table, caps=caps, prices=prices, writer=writer_name(), now=utc_now)


def _seen(settings: Settings, aws: Aws) -> Seen | None:
    if not settings.reuse_days:
        return None
    # As long as a crashed worker's message is hidden: whoever gets it goes on with the claim.
    lease = settings.crash_seconds
    table, days = settings.items_table, settings.reuse_days
    return Seen(SeenRows(aws=aws, table=table, now=utc_now, keep_days=days, lease_seconds=lease))


def _converter(settings: Settings) -> Converter:
    return Converter(
        most_bytes=settings.image_bytes,
        pixels=settings.image_pixels,
        frames=settings.image_frames,
        memory=settings.image_memory_mb * 1024 * 1024,
        seconds=settings.image_seconds,
    )


def _projector(settings: Settings) -> Converter:
    return projector(
        frames=settings.first_look_frames,
        pixels=settings.image_pixels,
        memory=settings.image_memory_mb * 1024 * 1024,
        seconds=settings.image_seconds,
    )


def _slots(settings: Settings, aws: Aws) -> Slots | None:
    if not settings.video_slots:
        return None
    return Slots(aws=aws, table=settings.items_table, limit=settings.video_slots, now=utc_now)


def writer_name() -> str:
    """A name that no other process ever has: each process writes an audit chain of its own."""
    return f"{socket.gethostname()}-{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
