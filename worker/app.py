"""The Celery application: every setting that makes Celery safe on SQS, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from celery import Celery, signals
from celery.backends.base import DisabledBackend
from kombu.entity import Exchange, Queue

from config.lanes import LANES
from config.logs import is_json
from config.settings import Settings
from tasks.aws.breaker import Breakers
from tasks.desk import Desk
from tasks.foresight import Foresight
from tasks.moderation import MODERATE
from worker.books import Books
from worker.delivery import DeliveredTask, Settler
from worker.in_force import Watch
from worker.lines import Lines
from worker.metrics import Registry
from worker.otel import connect_otel
from worker.pausing import Pausing
from worker.probes import probes_of
from worker.reporter import Reporter, process_name, to_stdout
from worker.reviewing import Reviewing
from worker.seeing import Seeing

log = structlog.get_logger("modfleet.app")


class Modfleet(Celery):  # type: ignore[misc]
    """The Celery app with what its tasks work with."""

    desk: Desk
    settler: Settler
    lines: Lines
    breakers: Breakers
    pausing: Pausing
    seeing: Seeing
    reporter: Reporter
    books: Books
    reviewing: Reviewing
    watch: Watch


def create_app(
    settings: Settings,
    desk: Desk,
    *,
    breakers: Breakers | None = None,
    registry: Registry | None = None,
    concurrency: Mapping[str, int] | None = None,
) -> Modfleet:
    """The app of one worker process, whose lanes are paused while `breakers` say that what they need is down.

    `registry` takes its metrics; `concurrency` is lane -> tasks at once, where it is not the lane table's.
    Raises NoOpenTelemetry where that is wanted and not installed.
    """
    app = Modfleet("modfleet", task_cls=DeliveredTask, set_as_current=False)
    app.desk = desk
    app.lines = Lines(settings, desk.aws, concurrency=concurrency, foresee=Foresight(desk))
    app.settler = Settler(desk.aws, settings, desk.now, app.lines)
    app.breakers = breakers or Breakers()
    app.pausing = Pausing(
        app.breakers, lanes=LANES.values(), lines=lambda lane: app.lines[lane], probes=probes_of(desk)
    )
    app.pausing.start()
    app.seeing = Seeing(registry or Registry(), desk.prices, desk.now)
    if settings.otel:
        app.seeing.registry.listeners.append(connect_otel(worker=process_name()))
    app.reporter = _reporter(app, settings)
    app.books = Books(desk, app.seeing.registry)
    app.reviewing = Reviewing(desk, app.seeing.registry, serves=lambda: app.lines.serves("rulings"))
    app.watch = Watch(app, app.seeing.registry, seconds=settings.policy_seconds)
    tokens = tuple(f"{kind}-token/{settings.classifier_model}" for kind in ("input", "output"))
    if missing := desk.prices.missing(tokens):
        log.warning("no_price", units=missing, file=settings.prices_file.name)
    app.conf.update(celery_settings(app.lines))
    # Nobody reads results; Celery would look for the backend once per thread (in every installed package), and twice
    # per task.
    app.tasks[MODERATE].backend = DisabledBackend(app)
    # Celery would otherwise set up logging of its own; config/logs.py has done it.
    signals.setup_logging.connect(_keep_logging, weak=False)
    return app


def _reporter(app: Modfleet, settings: Settings) -> Reporter:
    wants_emf = settings.metrics == "emf" or (settings.metrics == "auto" and is_json(settings.log_format))
    return Reporter(
        aws=app.desk.aws,
        table=settings.items_table,
        worker=process_name(),
        registry=app.seeing.registry,
        prices=app.desk.prices,
        lines=lambda: app.lines.started,
        breakers=app.breakers.states,
        caps=app.desk.budget.states if app.desk.budget else tuple,
        now=app.desk.now,
        namespace=settings.metrics_namespace,
        policy=lambda: app.desk.policy.version,
        dry_run=settings.dry_run,
        write=to_stdout if wants_emf else None,
    )


def celery_settings(lines: Lines) -> dict[str, Any]:
    """What Celery is told."""
    exchange = Exchange("")
    return {
        "broker_url": "sqs://localhost",
        "broker_transport": "worker.transport:Transport",
        "broker_transport_options": {"lines": lines},
        "broker_connection_retry_on_startup": True,
        "task_queues": [Queue(lane, exchange, routing_key=lane) for lane in LANES],
        "task_default_queue": "uploads",
        "task_create_missing_queues": False,
        # Acknowledged when done; left on the queue on any failure or loss.
        "task_acks_late": True,
        "task_acks_on_failure_or_timeout": False,
        "task_reject_on_worker_lost": True,
        "task_ignore_result": True,
        # The window is ours (worker.window).
        "worker_prefetch_multiplier": 0,
        # SQS has no broadcast; these would make queues of their own.
        "worker_enable_remote_control": False,
        # The limits are the fleet's (tasks.aws.limiter), not a process's.
        "worker_disable_rate_limits": True,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def _keep_logging(**_: Any) -> None:
    """Celery leaves logging alone when this signal has a receiver."""
