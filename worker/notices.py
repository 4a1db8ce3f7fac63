"""What the machine under a worker wants to know, and what it says: ECS is told who is busy, EC2 says who must go."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog
import urllib3
from urllib3.exceptions import HTTPError

log = structlog.get_logger("modfleet.notices")

#: Seconds that an answer from the machine itself may take.
HTTP_SECONDS = 2.0
#: Minutes that one protection lasts. A deployment waits as long, and no longer: it is let lapse before the next.
PROTECTED_MINUTES = 15
#: Seconds without a message in hand after which protection is released.
IDLE_SECONDS = 30.0
#: Seconds without protection after one has lapsed, in which ECS may stop the task: it drains.
BREATH_SECONDS = 60.0
#: Seconds before asking again where the agent refused or did not answer.
AGAIN_SECONDS = 10.0
#: Seconds between two looks at EC2's notices; a spot interruption is told two minutes ahead.
LOOK_SECONDS = 5.0
#: Seconds that a session with the metadata service lasts, at most six hours.
SESSION_SECONDS = 21_600


class Http(Protocol):
    """What is used of urllib3's PoolManager."""

    def request(self, method: str, url: str, **more: Any) -> urllib3.BaseHTTPResponse:
        """Send a request."""


def bounded_http() -> Http:
    """A client whose every request ends soon, and is sent once."""
    return urllib3.PoolManager(timeout=urllib3.Timeout(total=HTTP_SECONDS), retries=False)


class EcsProtection:
    """Keeps a busy task from being chosen when its service scales in.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
    """

    def __init__(self, agent_uri: str, *, http: Http, clock: Callable[[], float] = time.monotonic) -> None:
        """`agent_uri` is what ECS puts into ECS_AGENT_URI."""
        self._url = f"{agent_uri.rstrip('/')}/task-protection/v1/state"
        self._http, self._clock = http, clock
        self._until: float | None = None
        self._busy_at = self._ask_from = clock()

    def see(self, *, busy: bool) -> None:
        """Tell ECS, if it must be told. Takes at most HTTP_SECONDS and never raises."""
        now = self._clock()
        if busy:
            self._busy_at = now
        if self._until is not None and now >= self._until:
            self._until, self._ask_from = None, now + BREATH_SECONDS
        if now < self._ask_from:
            return
        if busy and self._until is None:
            self._put({"ProtectionEnabled": True, "ExpiresInMinutes": PROTECTED_MINUTES}, until=now + self._lasting)
        elif self._until is not None and now - self._busy_at >= IDLE_SECONDS:
            self._put({"ProtectionEnabled": False}, until=None)

    @property
    def _lasting(self) -> float:
        return PROTECTED_MINUTES * 60.0

    def _put(self, wanted: dict[str, Any], *, until: float | None) -> None:
        refused = self._refused(wanted)
        if refused:
            log.warning("protection_not_set", why=refused, wanted=wanted["ProtectionEnabled"])
            self._ask_from = self._clock() + AGAIN_SECONDS
        else:
            self._until = until

    def _refused(self, wanted: dict[str, Any]) -> str:
        """Why the agent did not do it; empty where it did."""
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._http.request("PUT", self._url, body=json.dumps(wanted), headers=headers)
        except HTTPError as error:
            return type(error).__name__
        said = _object(answer.data)
        if "protection" in said:
            return ""
        trouble = said.get("error") or said.get("failure") or {}
        return str(trouble.get("Code") or trouble.get("Reason") or f"HTTP {answer.status}")


class Ec2Notices:
    """Spot interruptions, rebalance recommendations, and the end that an Auto Scaling group has in mind.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html
    """

    def __init__(self, imds_url: str, *, http: Http, clock: Callable[[], float] = time.monotonic) -> None:
        """`imds_url` is the instance metadata service, by version 2 of which it is asked."""
        self._url, self._http, self._clock = imds_url.rstrip("/"), http, clock
        self._session, self._session_until = "", 0.0
        self._advised = False
        #: An Auto Scaling group ends this instance, and may wait to hear that it can.
        self.terminated = False

    def look(self) -> str:
        """Why this instance will end soon; empty while it will not."""
        if said := self._get("spot/instance-action"):
            notice = _object(said)
            return f"spot interruption: {notice.get('action')} at {notice.get('time')}"
        if self._get("autoscaling/target-lifecycle-state").decode(errors="replace").endswith("Terminated"):
            self.terminated = True
            return "its Auto Scaling group ends this instance"
        if not self._advised and (said := self._get("events/recommendations/rebalance")):
            self._advised = True
            log.warning("rebalance_recommended", since=_object(said).get("noticeTime"))
        return ""

    def instance_id(self) -> str:
        """The id of this instance, empty where nobody knows."""
        return self._get("instance-id").decode(errors="replace")

    def watch(self, drain: Callable[[str], None], *, every: float = LOOK_SECONDS) -> None:
        """Look until there is a notice, and drain."""
        while not (why := self.look()):
            time.sleep(every)
        drain(why)

    def _get(self, path: str) -> bytes:
        """A piece of metadata; empty where there is none. Never raises."""
        try:
            headers = {"X-aws-ec2-metadata-token": self._token()}
            answer = self._http.request("GET", f"{self._url}/latest/meta-data/{path}", headers=headers)
        except HTTPError as error:
            log.warning("metadata_not_read", path=path, why=type(error).__name__)
            return b""
        if answer.status == 401:
            self._session_until = 0.0
        elif answer.status not in (200, 404):
            log.warning("metadata_not_read", path=path, why=f"HTTP {answer.status}")
        return answer.data if answer.status == 200 else b""

    def _token(self) -> str:
        if self._clock() >= self._session_until:
            headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(SESSION_SECONDS)}
            answer = self._http.request("PUT", f"{self._url}/latest/api/token", headers=headers)
            if answer.status == 200:
                self._session = answer.data.decode()
                self._session_until = self._clock() + SESSION_SECONDS / 2
        return self._session


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object; empty where it is none."""
    try:
        said = json.loads(data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
