"""Notices, against a small server that plays the ECS agent and EC2's metadata service."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import boto3
import pytest
from botocore.stub import Stubber

from tasks.aws.autoscaling import AutoScaling, complete_termination
from tasks.aws.faults import Denied
from worker.notices import (
    AGAIN_SECONDS,
    BREATH_SECONDS,
    IDLE_SECONDS,
    PROTECTED_MINUTES,
    Ec2Notices,
    EcsProtection,
    bounded_http,
)

PROTECTED = (200, {"protection": {"ProtectionEnabled": True, "TaskArn": "arn"}})
REFUSED = (400, {"error": {"Arn": "arn", "Code": "AccessDeniedException", "Message": "no"}})


class Machine:
    """A server on 127.0.0.1: `answers` by path, and everything that it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, object]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        machine = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                machine.asked.append((self.command, self.path, json.loads(body) if body else None))
                status, said = machine.answer(self.path, self.headers)
                data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = _answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, path: str, headers: Any) -> tuple[int, object]:
        if path == "/latest/api/token":
            assert headers["X-aws-ec2-metadata-token-ttl-seconds"] == "21600"
            return 200, "the-session"
        if path.startswith("/latest/meta-data/") and headers["X-aws-ec2-metadata-token"] != "the-session":
            return 401, ""
        return self.answers.get(path.removeprefix("/latest/meta-data/"), (404, ""))

    def put(self) -> list[Any]:
        """What was put so far, forgotten afterwards."""
        bodies = [body for method, path, body in self.asked if (method, path) == ("PUT", "/task-protection/v1/state")]
        self.asked.clear()
        return bodies


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    machine.server.shutdown()
    machine.server.server_close()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


ON = {"ProtectionEnabled": True, "ExpiresInMinutes": PROTECTED_MINUTES}
OFF = {"ProtectionEnabled": False}


class TestEcsProtection:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def protection(self, machine: Machine, clock: Clock) -> EcsProtection:
        machine.answers["/task-protection/v1/state"] = PROTECTED
        return EcsProtection(machine.url, http=bounded_http(), clock=clock)

    def test_only_edges_are_told(self, machine: Machine, protection: EcsProtection, clock: Clock) -> None:
        protection.see(busy=False)
        assert machine.put() == []
        for _ in range(5):
            protection.see(busy=True)
            clock.now += 1
        assert machine.put() == [ON]
        clock.now += IDLE_SECONDS - 2
        protection.see(busy=False)
        assert machine.put() == []
        clock.now += 1
        protection.see(busy=False)
        protection.see(busy=False)
        assert machine.put() == [OFF]

    def test_a_worker_that_is_always_busy_lets_a_deployment_through(
        self, machine: Machine, protection: EcsProtection, clock: Clock
    ) -> None:
        protection.see(busy=True)
        assert machine.put() == [ON]
        clock.now += PROTECTED_MINUTES * 60
        protection.see(busy=True)
        clock.now += BREATH_SECONDS - 1
        protection.see(busy=True)
        assert machine.put() == []
        clock.now += 1
        protection.see(busy=True)
        assert machine.put() == [ON]

    def test_a_refusal_is_tried_again_but_not_at_once(
        self, machine: Machine, protection: EcsProtection, clock: Clock
    ) -> None:
        machine.answers["/task-protection/v1/state"] = REFUSED
        protection.see(busy=True)
        protection.see(busy=True)
        assert machine.put() == [ON]
        machine.answers["/task-protection/v1/state"] = PROTECTED
        clock.now += AGAIN_SECONDS
        protection.see(busy=True)
        protection.see(busy=True)
        assert machine.put() == [ON]

    @pytest.mark.parametrize("answer", [(200, "no JSON"), (500, ""), (200, {"failure": {"Reason": "TASK_NOT_VALID"}})])
    def test_an_answer_that_grants_nothing_is_no_protection(
        self, machine: Machine, protection: EcsProtection, clock: Clock, answer: tuple[int, object]
    ) -> None:
        machine.answers["/task-protection/v1/state"] = answer
        protection.see(busy=True)
        clock.now += AGAIN_SECONDS
        protection.see(busy=True)
        assert machine.put() == [ON, ON]

    def test_an_agent_that_is_not_there_ends_nothing(self, clock: Clock) -> None:
        EcsProtection("http://127.0.0.1:9", http=bounded_http(), clock=clock).see(busy=True)


class TestEc2Notices:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def notices(self, machine: Machine, clock: Clock) -> Ec2Notices:
        machine.answers["autoscaling/target-lifecycle-state"] = (200, "InService")
        return Ec2Notices(machine.url, http=bounded_http(), clock=clock)

    def test_an_instance_in_service_is_left_alone(self, notices: Ec2Notices) -> None:
        assert notices.look() == ""

    def test_a_spot_interruption_is_a_reason_to_end(self, machine: Machine, notices: Ec2Notices) -> None:
        machine.answers["spot/instance-action"] = (200, {"action": "terminate", "time": "2026-11-21T08:22:00Z"})
        assert notices.look() == "spot interruption: terminate at 2026-11-21T08:22:00Z"
        assert not notices.terminated

    @pytest.mark.parametrize("state", ["Terminated", "Warmed:Terminated"])
    def test_so_is_a_group_that_ends_the_instance(self, machine: Machine, notices: Ec2Notices, state: str) -> None:
        machine.answers["autoscaling/target-lifecycle-state"] = (200, state)
        assert "Auto Scaling" in notices.look()
        assert notices.terminated

    def test_a_rebalance_recommendation_is_none(self, machine: Machine, notices: Ec2Notices) -> None:
        machine.answers["events/recommendations/rebalance"] = (200, {"noticeTime": "2026-11-21T08:22:00Z"})
        assert (notices.look(), notices.look()) == ("", "")
        assert [path for _, path, _ in machine.asked].count("/latest/meta-data/events/recommendations/rebalance") == 1

    def test_one_session_serves_many_looks_and_is_renewed(
        self, machine: Machine, notices: Ec2Notices, clock: Clock
    ) -> None:
        def sessions() -> int:
            return [path for _, path, _ in machine.asked].count("/latest/api/token")

        notices.look()
        notices.look()
        assert sessions() == 1
        clock.now += 21_600
        notices.look()
        assert sessions() == 2

    def test_a_machine_without_metadata_ends_nothing(self, clock: Clock) -> None:
        assert Ec2Notices("http://127.0.0.1:9", http=bounded_http(), clock=clock).look() == ""

    def test_the_first_notice_drains_and_ends_the_watch(self, machine: Machine, notices: Ec2Notices) -> None:
        machine.answers["autoscaling/target-lifecycle-state"] = (200, "Terminated")
        machine.answers["instance-id"] = (200, "i-1234567890abcdef0")
        drained: list[str] = []
        notices.watch(drained.append, every=0.0)
        assert len(drained) == 1
        assert notices.instance_id() == "i-1234567890abcdef0"


class TestTheTerminationHook:
    @pytest.fixture
    def client(self) -> Any:
        session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="us-east-1")
        return session.client("autoscaling")

    def test_is_completed_for_this_instance(self, client: Any) -> None:
        wanted = {"AutoScalingGroupName": "g", "LifecycleHookName": "h", "InstanceId": "i-1"}
        with Stubber(client) as stubber:
            stubber.add_response("complete_lifecycle_action", {}, {**wanted, "LifecycleActionResult": "CONTINUE"})
            complete_termination(group="g", hook="h", instance_id="i-1", client=cast("AutoScaling", client))
            stubber.assert_no_pending_responses()

    def test_a_refusal_is_a_fault(self, client: Any) -> None:
        with Stubber(client) as stubber:
            stubber.add_client_error("complete_lifecycle_action", "AccessDenied")
            with pytest.raises(Denied):
                complete_termination(group="g", hook="h", instance_id="i-1", client=cast("AutoScaling", client))
