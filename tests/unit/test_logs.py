"""Logs: one JSON line each, in which no exception can show what it was working on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog

from config.logs import QUIET, configure_logs

SECRET = "ann@example.com"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Put logging back as pytest had it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """The lines that went to standard error; nothing may have gone to standard output."""

    def read() -> list[str]:
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err.splitlines()

    return read


def fail_over(body: str) -> None:
    """Fail with content in a local variable."""
    words = body.split()
    raise ValueError(f"{len(words)} words are too many")


def test_a_line_is_one_json_object_that_says_when_who_and_what(written: Callable[[], list[str]]) -> None:
    configure_logs(log_format="json", level="INFO")
    structlog.get_logger("modfleet.test").info("item", id="abc", tier=3, rules=["é"], takedown_ms=None)
    (line,) = written()
    said: dict[str, Any] = json.loads(line)
    assert datetime.fromisoformat(said.pop("timestamp")).tzinfo is not None
    assert said == {
        "event": "item",
        "id": "abc",
        "tier": 3,
        "rules": ["é"],
        "takedown_ms": None,
        "level": "info",
        "logger": "modfleet.test",
    }


def test_libraries_write_the_same_lines(written: Callable[[], list[str]]) -> None:
    configure_logs(log_format="json", level="INFO")
    logging.getLogger("kombu.test").warning("lost %s", "connection")
    said = json.loads(written()[0])
    assert (said["event"], said["level"], said["logger"]) == ("lost connection", "warning", "kombu.test")


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("library", [False, True])
def test_an_exception_shows_where_it_was_raised_and_no_local_variable(
    written: Callable[[], list[str]], log_format: str, *, library: bool
) -> None:
    configure_logs(log_format=log_format, level="INFO")
    log = logging.getLogger("celery.test") if library else structlog.get_logger("modfleet.test.exceptions")
    try:
        fail_over(f"write to {SECRET} at once")
    except ValueError:
        log.exception("unexpected")
    shown = "\n".join(written())
    assert "fail_over" in shown
    assert "5 words are too many" in shown
    assert SECRET not in shown


def test_an_exception_is_inside_its_one_json_line(written: Callable[[], list[str]]) -> None:
    configure_logs(log_format="json", level="INFO")
    try:
        fail_over("a b")
    except ValueError:
        structlog.get_logger("modfleet.test.one").exception("unexpected")
    (line,) = written()
    assert "Traceback" in json.loads(line)["exception"]


@pytest.mark.parametrize(
    ("level", "shown"),
    [("DEBUG", ["debug", "info", "error"]), ("INFO", ["info", "error"]), ("ERROR", ["error"])],
)
def test_lines_below_the_level_are_not_written(written: Callable[[], list[str]], level: str, shown: list[str]) -> None:
    configure_logs(log_format="json", level=level)
    log = structlog.get_logger(f"modfleet.test.{level}")
    for name in ("debug", "info", "error"):
        getattr(log, name)(name)
    assert [json.loads(line)["event"] for line in written()] == shown


@pytest.mark.parametrize("name", QUIET)
@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_libraries_that_could_show_a_body_say_nothing_below_a_warning(
    written: Callable[[], list[str]], name: str, level: str
) -> None:
    configure_logs(log_format="json", level=level)
    logging.getLogger(f"{name}.somewhere").info("Task received: %s", SECRET)
    logging.getLogger(f"{name}.somewhere").debug("Response body: %s", SECRET)
    assert written() == []


def test_libraries_are_no_louder_than_everything_else(written: Callable[[], list[str]]) -> None:
    configure_logs(log_format="json", level="ERROR")
    logging.getLogger("celery.somewhere").warning("a warning")
    assert written() == []


def test_setting_logs_up_twice_writes_each_line_once(written: Callable[[], list[str]]) -> None:
    configure_logs(log_format="json", level="INFO")
    configure_logs(log_format="json", level="INFO")
    logging.getLogger("twice").warning("once")
    assert len(written()) == 1


def test_without_a_terminal_auto_is_json(written: Callable[[], list[str]]) -> None:
    configure_logs(log_format="auto", level="INFO")
    logging.getLogger("auto").warning("once")
    assert json.loads(written()[0])["event"] == "once"


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred", "🌴", "\ud800"])
def test_no_value_breaks_a_line_in_two(written: Callable[[], list[str]], text: str) -> None:
    configure_logs(log_format="json", level="INFO")
    logging.getLogger("odd").warning("odd %s", text)
    (line,) = written()
    assert json.loads(line)["event"] == f"odd {text}"


def test_every_line_says_what_is_added_unless_it_says_so_itself(written: Callable[[], list[str]]) -> None:
    def add(_logger: object, _method: str, line: Any) -> Any:
        line.setdefault("lane", "uploads")
        return line

    configure_logs(log_format="json", level="INFO", add=(add,))
    logging.getLogger("kombu.added").warning("a library's")
    structlog.get_logger("modfleet.test.added").info("ours")
    structlog.get_logger("modfleet.test.added").info("ours", lane="video")
    assert [json.loads(line)["lane"] for line in written()] == ["uploads", "uploads", "video"]
