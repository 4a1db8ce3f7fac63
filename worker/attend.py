"""Who attends a worker while it works: its life cycle, its pulse and health, and the machine that it runs on."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import structlog
from celery import signals
from celery.worker import state

from config.settings import Settings
from tasks.aws.autoscaling import complete_termination
from tasks.aws.faults import Fault
from worker.health import Health, serve_health
from worker.lifecycle import Lifecycle
from worker.lines import Lines
from worker.notices import Ec2Notices, EcsProtection, bounded_http
from worker.pulse import Pulse
from worker.vital import BROKEN, Vital, end_worker

log = structlog.get_logger("modfleet.attend")

#: Seconds between two looks.
TICK = 1.0


class Watch:
    """What is looked at once a second."""

    def __init__(
        self,
        pulse: Pulse,
        lifecycle: Lifecycle,
        *,
        health: Health,
        watchdog_seconds: float,
        protection: EcsProtection | None = None,
    ) -> None:
        """A part of the worker that gives no sign of life for `watchdog_seconds` ends it."""
        self._pulse, self._lifecycle, self._health = pulse, lifecycle, health
        self._watchdog_seconds, self._protection = watchdog_seconds, protection

    def run(self) -> None:
        """Look as long as the process lives."""
        while True:
            time.sleep(TICK)
            self.tick()

    def tick(self) -> None:
        """Look once."""
        self._pulse.sample()
        self._health.touch()
        if self._lifecycle.draining:
            return
        if isinstance(state.should_stop, int) and state.should_stop is not False:
            # A thread that died has asked Celery to stop; only here does that get its limit.
            self._lifecycle.drain("the worker is broken" if state.should_stop else "Celery stops")
        elif silent := self._pulse.silent(self._watchdog_seconds):
            self._lifecycle.leave(BROKEN, f"no sign of life for {self._watchdog_seconds} s: {', '.join(silent)}")
        elif self._protection is not None:
            self._protection.see(busy=self._pulse.busy)


def attend(settings: Settings, lines: Lines) -> Lifecycle:
    """Start everything that attends the worker of this process. Raises SettingsError where it cannot."""
    lifecycle = Lifecycle(lines, drain_seconds=settings.drain_seconds)
    pulse = Pulse(lambda: lines.started)
    health = Health(pulse, lifecycle, file=settings.health_file)
    if settings.health_port:
        serve_health(health, host=settings.health_host, port=settings.health_port)
    uri, http = settings.ecs_agent_uri, bounded_http()
    protection = EcsProtection(str(uri), http=http) if uri else None
    watch = Watch(pulse, lifecycle, health=health, watchdog_seconds=settings.watchdog_seconds, protection=protection)
    Vital(watch.run, name="watch", died=end_worker).start()
    if settings.ec2:
        notices = Ec2Notices(str(settings.imds_url), http=http)
        lifecycle.last_words.append(partial(_let_terminate, settings, notices))
        Vital(partial(notices.watch, lifecycle.drain), name="notices", died=end_worker).start()
    signals.worker_ready.connect(partial(_feel, pulse), weak=False)
    lifecycle.start()
    return lifecycle


def _feel(pulse: Pulse, sender: Any = None, **_: object) -> None:
    """Have the event loop give a sign of life every second."""
    pulse.turn()
    pulse.sample()
    sender.hub.timer.call_repeatedly(TICK, pulse.turn)


def _let_terminate(settings: Settings, notices: Ec2Notices) -> None:
    """Tell the Auto Scaling group that it need not wait any longer."""
    if not (notices.terminated and settings.lifecycle_hook and settings.autoscaling_group):
        return
    try:
        complete_termination(
            group=settings.autoscaling_group, hook=settings.lifecycle_hook, instance_id=notices.instance_id()
        )
    except Fault as fault:
        # The group then goes on when the hook's own time is over.
        log.warning("lifecycle_action_not_completed", why=str(fault))
