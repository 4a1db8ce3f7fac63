"""`modfleet deploy attach`: let a bucket that exists already be guarded by a fleet, beside all that it does today."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError

from config.settings import CONFIG
from tasks.aws.calls import call
from tasks.aws.deployer import Deployer
from tasks.aws.faults import Fault, Gone
from tasks.aws.identity import caller_arn
from worker.bucket_policy import readers_of_versions, to_be_hidden
from worker.deploy.bucket import (
    BEFORE,
    Document,
    Statement,
    guarding,
    in_words,
    with_event_bridge,
    with_statements,
)
from worker.deploy.template import TemplateError, home_of_templates, read_template
from worker.terminal import WRONG, AsJson, print_json, read_policy, say, stop


def attach(  # noqa: PLR0913  # a command has as many options as it has
    bucket: Annotated[str, typer.Argument(help="A bucket of this account that users upload to.")],
    *,
    prefix: Annotated[str, typer.Option(help="The fleet's: its roles are the ones that may see and tag.")] = "modfleet",
    distribution: Annotated[
        str, typer.Option(help="The CloudFront distribution that may read it (edge's DistributionId).")
    ] = "",
    policy: Annotated[Path, typer.Option(help="Whose `before` surfaces are hidden.")] = CONFIG / "policy.yaml",
    templates: Annotated[
        Path | None, typer.Option(help="The templates' folder; by default those of this modfleet.", show_default=False)
    ] = None,
    hide: Annotated[
        bool, typer.Option("--hide-unjudged", help="Hide what is there already where uploads show only once allowed.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the statements out of its policy again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a fleet guard a bucket that exists already: its events go to EventBridge, its policy hides what is blocked.

    Whoever is told of its events today stays told, and every other statement of its policy stays as it is. A direct
    notification to the queue would clash with those of others, so EventBridge it is; the rule is the data stack's:
    afterwards, modfleet deploy up data roles fleet-ecs --set ExistingUploadsBucket=BUCKET
    """
    if as_json and not yes:
        stop("--json asks nobody: give --yes, too")
    surfaces = read_policy(policy).surfaces
    try:
        held = _Bucket(Deployer(), bucket)
        before = to_be_hidden(surfaces, bucket)
        taken = sorted(keys for keys in before if not (hide or undo) and held.has_any(keys))
        text = read_template(home_of_templates(templates), "data").text
        wanted = guarding(
            text, bucket=bucket, before=before, known=_known(prefix, distribution or ("any" if undo else ""))
        )
        ours = {one["Sid"] for one in wanted}
        asked = [] if undo else [one for one in wanted if not (taken and one["Sid"] == BEFORE)]
        change = held.change(asked, ours=ours, announces=not undo)
        if not as_json:
            _show(bucket, change, taken)
        if change.words and not yes and not typer.confirm("  Do this?"):
            stop("nothing was changed", code=WRONG)
        held.carry_out(change)
    except TemplateError as error:
        stop(str(error))
    except Fault as fault:
        stop(f"{bucket}: {fault}", code=WRONG)
    except BotoCoreError as error:
        stop(f"the AWS variables are not a valid configuration: {error}")
    if as_json:
        print_json({"bucket": bucket, "did": change.words, "not_hidden": taken})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What the bucket says of itself now and is to say then."""

    policy: Document
    then: Document
    tells: Document
    will_tell: Document

    @property
    def words(self) -> list[str]:
        """A line for each thing that changes."""
        told = ["+ its events go to EventBridge, too"] if self.tells != self.will_tell else []
        return in_words(self.policy, self.then) + told


class _Bucket:
    """The bucket, as far as it is changed."""

    def __init__(self, aws: Deployer, name: str) -> None:
        self._aws, self._name = aws, name

    def policy(self) -> dict[str, Any]:
        try:
            text = call(self._aws.store, self._aws.s3.get_bucket_policy, Bucket=self._name)["Policy"]
        except Gone:
            return {}
        return dict(json.loads(text))

    def write_policy(self, document: Any) -> None:
        if document["Statement"]:
            call(self._aws.store, self._aws.s3.put_bucket_policy, Bucket=self._name, Policy=json.dumps(document))
        else:
            call(self._aws.store, self._aws.s3.delete_bucket_policy, Bucket=self._name)

    def tells(self) -> dict[str, Any]:
        answer = call(self._aws.store, self._aws.s3.get_bucket_notification_configuration, Bucket=self._name)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def tell(self, configuration: Any) -> None:
        put = self._aws.s3.put_bucket_notification_configuration
        call(self._aws.store, put, Bucket=self._name, NotificationConfiguration=configuration)

    def has_any(self, keys: str) -> bool:
        """Whether something is there under keys as policies write them: `avatars/*`."""
        first, listed = keys.partition("*")[0], self._aws.s3.list_objects_v2
        return bool(call(self._aws.store, listed, Bucket=self._name, Prefix=first, MaxKeys=1).get("KeyCount"))

    def change(self, statements: Sequence[Statement], *, ours: Collection[str], announces: bool) -> _Change:
        """What these statements, instead of those that are ours, would change of it."""
        policy, tells = self.policy(), self.tells()
        then = with_statements(policy, statements, ours=ours)
        return _Change(
            policy=policy, then=then, tells=tells, will_tell=with_event_bridge(tells) if announces else tells
        )

    def carry_out(self, change: _Change) -> None:
        """Hidden before it is announced: what is judged meanwhile can be taken down."""
        if in_words(change.policy, change.then):
            self.write_policy(change.then)
        if change.will_tell != change.tells:
            self.tell(change.will_tell)


def _known(prefix: str, distribution: str) -> dict[str, str]:
    # arn:aws:sts::123456789012:assumed-role/...
    _, partition, _, _, account, _ = caller_arn().split(":", 5)
    known = {"Prefix": prefix, "AWS::AccountId": account, "AWS::Partition": partition}
    return known | ({"DistributionId": distribution} if distribution else {})


def _show(bucket: str, change: _Change, left: Sequence[str]) -> None:
    say(f"{bucket}: {'to be changed' if change.words else 'as it should be'}", style="bold")
    for line in change.words:
        say(f"  {line}")
    for keys in left:
        say(
            f"! objects are there already under {keys}, where uploads are to show only once allowed: they stay visible,"
        )
        say("  and so does every new one, until you have them judged and run this again with --hide-unjudged")
    for sid in readers_of_versions(change.then):
        say(f"! {sid} lets the public read older versions, replaced uploads among them: take s3:GetObjectVersion away")
