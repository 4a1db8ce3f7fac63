"""The Celery application: every setting that makes Celery safe on SQS, in one place."""

from __future__ import annotations

from typing import Any

from celery import Celery, signals
from kombu.entity import Exchange, Queue

import tasks.moderation  # noqa: F401  # registers the task
from config.lanes import LANES
from config.settings import Settings
from tasks.desk import Desk
from worker.delivery import DeliveredTask, Settler

#: SQS's longest long poll: an idle lane then costs three requests a minute.
LONG_POLL_SECONDS = 20
#: kombu 5.7 also waits this long when its prefetch window is full, and its default of one second would
#: limit a worker to its concurrency per second. https://github.com/celery/kombu/pull/2489
POLLING_INTERVAL_SECONDS = 0.02


class Modfleet(Celery):  # type: ignore[misc]
    """The Celery app with what its tasks work with."""

    desk: Desk
    settler: Settler


def create_app(settings: Settings, desk: Desk) -> Modfleet:
    """The app of one worker process."""
    app = Modfleet("modfleet", task_cls=DeliveredTask, set_as_current=False)
    app.desk = desk
    app.settler = Settler(desk.aws, settings, desk.now)
    app.conf.update(celery_settings(settings))
    # Celery would otherwise set up logging of its own; config/logs.py has done it.
    signals.setup_logging.connect(_keep_logging, weak=False)
    return app


def celery_settings(settings: Settings) -> dict[str, Any]:
    """What Celery is told."""
    exchange = Exchange("")
    return {
        "broker_url": "sqs://",
        "broker_transport": "worker.transport:Transport",
        "broker_transport_options": transport_options(settings),
        "broker_connection_retry_on_startup": True,
        "task_queues": [Queue(lane, exchange, routing_key=lane) for lane in LANES],
        "task_default_queue": "uploads",
        "task_create_missing_queues": False,
        # Acknowledged when done; left on the queue on any failure or loss.
        "task_acks_late": True,
        "task_acks_on_failure_or_timeout": False,
        "task_reject_on_worker_lost": True,
        "task_ignore_result": True,
        "worker_prefetch_multiplier": 1,
        # SQS has no broadcast; these would make queues of their own.
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def transport_options(settings: Settings) -> dict[str, Any]:
    """What kombu's SQS transport is told. Region, endpoint and credentials come from the AWS variables."""
    return {
        "predefined_queues": {lane: {"url": settings.queue_url(lane)} for lane in LANES},
        "wait_time_seconds": LONG_POLL_SECONDS,
        "polling_interval": POLLING_INTERVAL_SECONDS,
        "fetch_message_attributes": {"MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"]},
        "client-config": {
            "max_pool_connections": sum(lane.concurrency for lane in LANES.values()),
            "connect_timeout": 3,
            "read_timeout": LONG_POLL_SECONDS + 5,
            "retries": {"mode": "standard", "total_max_attempts": 3},
        },
    }


def _keep_logging(**_: Any) -> None:
    """Celery leaves logging alone when this signal has a receiver."""
