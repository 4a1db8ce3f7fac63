"""Follow one object through a deployment: each link on its way is looked at, and the first that is broken says so."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tasks.act.edge import edge_of
from tasks.act.verify import ask_public
from tasks.aws.calls import call
from tasks.aws.deployer import Deployer
from tasks.aws.faults import Denied, Fault
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.about import about
from tasks.record.standing import Standing, Status
from worker.deploy.links import KEY_ACTIONS, MANAGED_KEY, Document, Way, admits, filters_to, way_of
from worker.deploy.probe import Probe, clear_away, upload
from worker.deploy.trouble import Stuck, no_verdict, refusal
from worker.fleet import FleetView
from worker.top import look

#: Seconds between two looks at what others do.
POLL_SECONDS = 0.5
#: Where nothing hides or removes it: what the public is shown.
_SHOWN = (Status.ALLOWED, Status.REDACTED)
_WHOM = {Way.EVENT_BRIDGE: "EventBridge", Way.TOPIC: "a topic"}


class Unseen(Exception):
    """Nobody could look; whether it works will show in what comes after. The text says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One link. `ok` is None where nobody could look at it."""

    name: str
    ok: bool | None
    detail: str
    #: What to do about it, where it is broken.
    todo: str = ""
    seconds: float = 0.0


@dataclass(kw_only=True)
class Follower:
    """Follows one probe. Each method is one step: it returns what was seen, or raises Stuck, Unseen or a Fault."""

    desk: Desk
    deployer: Deployer
    probe: Probe
    #: Seconds to wait for a verdict.
    within: float = 60.0
    #: How the fleet is.
    look: Callable[[Desk], FleetView] = look
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    #: How the bucket's events reach the queue, once that is known.
    way: Way | None = None
    uploaded: bool = False
    version: str = ""
    standing: Standing | None = None
    _queue: dict[str, str] = field(default_factory=dict)

    def steps(self) -> Iterator[Step]:
        """Every step up to the first that is stuck. Whoever asks for them clears away in the end."""
        for name, step in self._links():
            yield (taken := self._take(name, step))
            if taken.ok is False:
                return

    def cleared(self) -> Step | None:
        """The last step: the probe is cleared away; None where nothing was uploaded."""
        return self._take("cleared away", self._clear) if self.uploaded else None

    def _links(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "upload events", self._announced
        yield "event rule", self._ruled
        yield "queue policy", self._admitted
        yield "queue key", self._decryptable
        yield "workers", self._served
        yield "upload", self._upload
        yield "hidden until judged", self._hidden
        yield "verdict", self._judged
        yield "looked at", self._looked_at
        yield "public", self._public
        yield "audit log", self._written

    def _take(self, name: str, step: Callable[[], str]) -> Step:
        started = self.clock()
        ok: bool | None = True
        todo = ""
        try:
            detail = step()
        except Stuck as stuck:
            ok, detail, todo = False, str(stuck), stuck.todo
        except Unseen as why:
            ok, detail = None, str(why)
        except Denied as fault:
            ok, detail = None, f"you may not look: {fault}"
        except Fault as fault:
            ok, detail, todo = False, str(fault), "see what the call says, then run this command again"
        return Step(name, ok, detail, todo, round(self.clock() - started, 1))

    # ---- the way to the queue ----

    def _announced(self) -> str:
        bucket, queue = self.probe.bucket, self._attributes()["QueueArn"]
        said = self._s3("get_bucket_notification_configuration", Bucket=bucket)
        self.way = way_of(said, queue=queue, key=self.probe.key)
        name = queue.rsplit(":", 1)[1]
        if self.way is not None:
            return f"{bucket} tells {_WHOM.get(self.way, name)}"
        if only := filters_to(said, queue=queue):
            raise Stuck(
                f"{bucket} tells {name} of some uploads only ({', '.join(only)}), and {self.probe.key} is none of them",
                f"set the notification to s3:ObjectCreated:* without a filter, or: modfleet deploy attach {bucket}",
            )
        raise Stuck(
            f"the notification is missing: {bucket} tells nobody of uploads",
            f"modfleet deploy up data, where the stack made the bucket; otherwise modfleet deploy attach {bucket}",
        )

    def _ruled(self) -> str:
        if self.way is not Way.EVENT_BRIDGE:
            raise Unseen("none is needed" if self.way is Way.QUEUE else "whom the bucket tells is not known")
        events, store, queue = self.deployer.events, self.deployer.store, self._attributes()["QueueArn"]
        names = call(store, events.list_rule_names_by_target, TargetArn=queue)["RuleNames"]
        rules = [call(store, events.describe_rule, Name=name) for name in names]
        ours = [one for one in rules if f'"{self.probe.bucket}"' in one.get("EventPattern", "")]
        if any(one["State"].startswith("ENABLED") for one in ours):
            return f"{', '.join(one['Name'] for one in ours)} sends to the queue"
        wrong = f"the EventBridge rule {ours[0]['Name']} is switched off" if ours else "no EventBridge rule sends it on"
        todo = f"modfleet deploy up data --set ExistingUploadsBucket={self.probe.bucket}"
        raise Stuck(f"{wrong}: {self.probe.bucket} tells EventBridge, and the queue hears nothing", todo)

    def _admitted(self) -> str:
        if self.way is None:
            raise Unseen("who sends to the queue is not known")
        queue, service = self._attributes()["QueueArn"], self.way.value
        if admits(
            _document(self._attributes().get("Policy")), action="sqs:SendMessage", resource=queue, **self._sender()
        ):
            return f"it lets {service} send"
        raise Stuck(
            f"the queue policy of {queue.rsplit(':', 1)[1]} does not let {service} send for {self.probe.bucket}",
            "modfleet deploy up data puts the policy of the stack back; a queue of your own needs a statement that "
            f"allows {service} to do sqs:SendMessage",
        )

    def _decryptable(self) -> str:
        key, way = self._attributes().get("KmsMasterKeyId"), self.way or Way.QUEUE
        if not key:
            return "none but SQS's own"
        todo = f"let {way.value} do {' and '.join(KEY_ACTIONS)} in the key's policy, or use SQS's own encryption"
        if key == MANAGED_KEY:
            raise Stuck(f"the queue is encrypted with {MANAGED_KEY}, which no AWS service can be let use", todo)
        kms = self.deployer.kms
        answer = call(self.deployer.store, kms.get_key_policy, KeyId=key, PolicyName="default")
        asked, policy = {"resource": "*", **self._sender()}, _document(answer["Policy"])
        if lacking := [action for action in KEY_ACTIONS if not admits(policy, action=action, **asked)]:
            raise Stuck(f"the KMS key of the queue does not let {way.value} do {', '.join(lacking)}", todo)
        return f"{key} lets {way.value} use it"

    def _served(self) -> str:
        view = self.look(self.desk)
        lane = view.lanes["uploads"]
        if not lane.workers:
            waits = f"; {lane.depth.visible} messages wait" if lane.depth.visible else ""
            raise Stuck(
                f"no worker serves the lane uploads{waits}",
                "start one: modfleet worker, or modfleet deploy up fleet-ecs; if one should run, its log says why not",
            )
        if lane.paused == lane.workers:
            down = ", ".join(name for name, each in view.calls.items() if each.open) or "a dependency"
            raise Stuck(f"every worker has paused the lane uploads, for {down} fails", refusal(self.desk, down))
        dry = ", in a DRY RUN: nothing is taken down" if any(beat.dry_run for beat in view.workers) else ""
        return f"{lane.workers} at work{dry}"

    # ---- the object ----

    def _upload(self) -> str:
        try:
            # From here on something may be there, whatever is answered.
            self.uploaded = True
            self.version = upload(self.desk, self.probe)
        except Denied as fault:
            by_key = "kms" in f"{fault.code} {fault.detail}".lower()
            what = "the KMS key of the bucket" if by_key else "S3"
            wanted = "kms:GenerateDataKey by the key's policy" if by_key else "s3:PutObject there"
            todo = f"you need {wanted}, as the application that uploads does"
            raise Stuck(f"{what} refuses the upload: {fault}", todo) from None
        return self.probe.location

    def _hidden(self) -> str:
        surface = self.desk.policy.surface_for(self.probe.key, self.probe.bucket)
        if surface.visibility != "before":
            raise Unseen(f"{surface.name} is public at once")
        status = self._status()
        if status < 400 and self._find() is None:
            raise Stuck(
                f"the public is served what nobody has judged (HTTP {status}): the bucket policy does not hide it",
                "modfleet deploy up data edge; a bucket of your own: modfleet deploy attach " + self.probe.bucket,
            )
        return f"the public is refused (HTTP {status})" if status >= 400 else "judged faster than anybody could look"

    def _judged(self) -> str:
        try:
            self.standing = standing = self._await()
        except Denied as fault:
            raise Stuck(f"you may not read what is recorded: {fault}", "do this as the fleet's operator role") from None
        rules = f" by {', '.join(standing.rules)}" if standing.rules else ""
        if self.probe.harmless and standing.status not in _SHOWN:
            raise Stuck(
                f"a harmless picture ended as {standing.status}{rules}",
                f"modfleet item show '{self.probe.location}' says what was found; a cap or a detector that cannot read "
                "holds everything",
            )
        return f"{standing.status}{rules}"

    def _looked_at(self) -> str:
        if not self._known().detectors:
            raise Stuck("no detector looked at it", f"modfleet item show '{self.probe.location}'")
        return ", ".join(f"{name} ({version})" for name, version in sorted(self._known().detectors.items()))

    def _public(self) -> str:
        standing = self._known()
        shown = standing.status in _SHOWN
        status = self._status()
        if (status < 400) is shown:
            return f"{'served' if shown else 'refused'} (HTTP {status})"
        if shown:
            raise Stuck(
                f"the public is refused what is allowed (HTTP {status})",
                "does MODFLEET_PUBLIC_URL lead to this bucket, does the bucket policy let its distribution read, and "
                "does a KMS key of the bucket let CloudFront decrypt? modfleet deploy up data edge",
            )
        if standing.dry_run or standing.status is Status.HELD:
            return f"served (HTTP {status}): nothing was to be hidden"
        raise Stuck(
            f"the public is still served what was taken down (HTTP {status})",
            "does MODFLEET_DISTRIBUTION_ID name the distribution behind MODFLEET_PUBLIC_URL?",
        )

    def _written(self) -> str:
        found = about(self.desk.aws, self.desk.settings.audit_bucket, self._known())
        if found.lacking or not found.entries:
            raise Stuck(
                f"the audit log has no entry of {', '.join(found.lacking) or 'it'}",
                "does the workers' role have s3:PutObject on MODFLEET_AUDIT_BUCKET, and its KMS key if it has one?",
            )
        return f"{len(found.entries)} entries: {', '.join(str(entry['event']) for entry in found.entries)}"

    def _clear(self) -> str:
        try:
            clear_away(self.desk, self.probe)
        except Denied as fault:
            raise Stuck(f"it is still there: {fault}", f"delete {self.probe.location} with all its versions") from None
        return "every version is deleted; what was recorded of it stays"

    # ---- asking ----

    def _await(self) -> Standing:
        until = self.clock() + self.within
        while (standing := self._find()) is None or standing.status is Status.PENDING:
            if self.clock() >= until:
                raise no_verdict(
                    self.desk, self.probe, standing, view=self.look(self.desk), way=self.way, seconds=self.within
                )
            self.sleep(POLL_SECONDS)
        return standing

    def _find(self) -> Standing | None:
        return self.desk.state.latest(self.probe.location)

    def _known(self) -> Standing:
        assert self.standing is not None  # no step comes after one that got no verdict
        return self.standing

    def _attributes(self) -> dict[str, str]:
        if not self._queue:
            asked: dict[str, Any] = {"QueueUrl": self.desk.settings.queue_url("uploads"), "AttributeNames": ["All"]}
            self._queue = call(self.desk.aws.store, self.desk.aws.sqs.get_queue_attributes, **asked)["Attributes"]
        return self._queue

    def _sender(self) -> dict[str, str]:
        """Who sends to the queue; which rule or topic it is nobody but the stack knows."""
        _, partition, _, _, account, _ = self._attributes()["QueueArn"].split(":")
        source = f"arn:{partition}:s3:::{self.probe.bucket}" if self.way in (Way.QUEUE, None) else ""
        return {"service": (self.way or Way.QUEUE).value, "source": source, "account": account}

    def _s3(self, operation: str, **params: object) -> dict[str, Any]:
        return call(self.desk.aws.store, getattr(self.desk.aws.s3, operation), **params)

    def _status(self) -> int:
        now = self.desk.now()
        there = Item(
            bucket=self.probe.bucket, key=self.probe.key, version_id=None, etag="", size=0, sequencer="", event_time=now
        )
        if edge_of(self.desk, there).public_url is None:
            raise Unseen("no public URL leads to it (MODFLEET_PUBLIC_URL)")
        try:
            return ask_public(self.desk, there).status
        except Fault as fault:
            raise Unseen(f"the public URL does not answer: {fault}") from None


def _document(text: str | None) -> Document:
    return dict(json.loads(text)) if text else {}
