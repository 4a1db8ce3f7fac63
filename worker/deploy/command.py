"""`modfleet deploy`: what it would change, changing it, the settings that come of it, and taking it all away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError

from tasks.aws.deployer import Deployer
from tasks.aws.faults import Fault
from tasks.aws.identity import caller_arn
from worker.deploy.attach import attach
from worker.deploy.changes import in_words, losses
from worker.deploy.doctor import doctor
from worker.deploy.fleet import Fleet, Outlook, feeds_back, usual_parts
from worker.deploy.order import PARTS, Unset, check_chosen, in_order, parse_set
from worker.deploy.settings_file import all_outputs, lacking, lines_of, settings_of, write_settings
from worker.deploy.stacks import Proposal, Refused, Stacks
from worker.deploy.template import Template, TemplateError, home_of_templates, read_template
from worker.terminal import MISUSED, WRONG, AsJson, print_json, say, stop

_NAMES = ", ".join(PARTS)

deploy_app = typer.Typer(
    no_args_is_help=True, help="Put a fleet into your AWS account: plan, make, follow one object through, remove."
)

deploy_app.command("attach")(attach)
deploy_app.command("doctor")(doctor)

Parts = Annotated[list[str] | None, typer.Argument(help=f"Stacks: {_NAMES}; by default those that are there.")]
Prefix = Annotated[str, typer.Option(help="The first word of every name; two fleets in one account need two.")]
Templates = Annotated[
    Path | None,
    typer.Option(help="The templates' folder; by default those of this modfleet.", show_default=False),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter, as [STACK.]NAME=VALUE; again for more. CloudFormation remembers it."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Ask nothing. What would lose data is refused all the same.")]

Ask = Callable[[Outlook], bool]


@deploy_app.command("plan")
def plan(
    parts: Parts = None,
    *,
    prefix: Prefix = "modfleet",
    templates: Templates = None,
    chosen: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show what `up` would change, resource by resource. Nothing is changed.

    CloudFormation itself says what it would do (change sets, which are deleted again). A stack that takes something
    from one that is not there yet can only be planned once that is made.
    """
    shown: list[dict[str, Any]] = []
    with _told_plainly():
        fleet = _fleet(prefix, tell=lambda _: None)
        wanted = _templates(fleet, parts, templates)
        values = parse_set(chosen or ())
        check_chosen(values, wanted)
        for number, template in enumerate(wanted):
            outlook = fleet.outlook(template, chosen=values, coming=wanted[:number])
            if outlook.proposal:
                fleet.stacks.discard(outlook.proposal)
            shown.append(_summary(outlook, did=""))
            if not as_json:
                _show(fleet, outlook, template)
    if as_json:
        print_json(shown)


@deploy_app.command("up")
def up(  # noqa: PLR0913  # a command has as many options as it has
    parts: Parts = None,
    *,
    prefix: Prefix = "modfleet",
    templates: Templates = None,
    chosen: Set = None,
    env_file: Annotated[
        Path | None, typer.Option(help="Then write the settings into this file, too.", show_default=False)
    ] = None,
    yes: Yes = False,
    lose: Annotated[bool, typer.Option("--lose-data", help="With --yes: do also what loses data.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the stacks, or bring them up to date, in order; each shows what it changes and asks first.

    Interrupted, the same command goes on. What CloudFormation could not finish it takes back by itself, and the command
    says which resource failed and why.
    """
    if as_json and not yes:
        stop("--json asks nobody: give --yes, too")
    shown: list[dict[str, Any]] = []
    tell: Callable[[str], None] = (lambda _: None) if as_json else (lambda line: say(f"    {line}", style="dim"))
    with _told_plainly():
        fleet = _fleet(prefix, tell=tell)
        wanted = _templates(fleet, parts, templates)
        values = parse_set(chosen or ())
        check_chosen(values, wanted)
        bring_up = partial(_bring_up, fleet, chosen=values, ask=_asker(yes=yes, lose=lose), quiet=as_json)
        shown += map(bring_up, wanted)
        shown += map(bring_up, _fed_back(fleet, wanted, templates))
        if env_file:
            _write(fleet, env_file)
    if as_json:
        print_json(shown)


@deploy_app.command("settings")
def settings(
    env_file: Annotated[
        Path | None,
        typer.Option(help="Put them into this file; its other lines stay as they are.", show_default=False),
    ] = None,
    *,
    prefix: Prefix = "modfleet",
    as_json: AsJson = False,
) -> None:
    """Print the settings that the stacks decide, for the command line and for workers of your own.

    KEY=VALUE lines: `set -a; . FILE; set +a` in a shell, EnvironmentFile= in systemd.
    """
    with _told_plainly():
        fleet = _fleet(prefix, tell=lambda _: None)
        found = _settings(fleet)
        if missing := lacking(found):
            which = f"the stacks of the fleet {prefix!r} in {fleet.stacks.aws.region}"
            stop(f"{which} do not say {', '.join(missing)}: modfleet deploy up data", code=WRONG)
        if env_file:
            _write(fleet, env_file)
        elif as_json:
            print_json(found)
        else:
            for line in lines_of(found):
                typer.echo(line)


@deploy_app.command("remove")
def remove(
    parts: Parts = None,
    *,
    prefix: Prefix = "modfleet",
    discard: Annotated[
        bool, typer.Option("--discard-messages", help="Remove queues although uploads wait in them, never judged.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove the stacks, the last made first; says before what goes and what stays.

    Buckets and tables stay, with all that is in them: the audit log and the originals are locked for as long as
    AuditDays and EvidenceDays say. `modfleet deploy up` takes them over again.
    """
    if as_json and not yes:
        stop("--json asks nobody: give --yes, too")
    with _told_plainly():
        fleet = _fleet(prefix, tell=lambda line: None if as_json else say(f"    {line}", style="dim"))
        made = fleet.made()
        gone = [part for part in reversed(in_order(parts or made)) if part in made]
        kept = {name: kind for part in gone for name, kind in fleet.kept(part).items()}
        waiting = fleet.waiting() if "data" in gone else {}
        if not as_json:
            _show_removal(fleet, gone, kept, waiting)
        if waiting and not discard:
            stop("messages wait that would go with their queues; let workers drain them, or --discard-messages", code=1)
        if gone and not yes and typer.prompt("Type the fleet's prefix to remove it") != prefix:
            stop("nothing was removed", code=WRONG)
        for part in gone:
            fleet.stacks.remove(fleet.stack_name(part))
    if as_json:
        print_json({"removed": [fleet.stack_name(part) for part in gone], "kept": kept, "discarded": waiting})


def _fleet(prefix: str, *, tell: Callable[[str], None]) -> Fleet:
    # arn:aws:sts::123456789012:assumed-role/...
    account = caller_arn().split(":")[4]
    return Fleet(stacks=Stacks(aws=Deployer(), tell=tell), prefix=prefix, account=account)


@contextmanager
def _told_plainly() -> Iterator[None]:
    """What can go wrong ends the command with a plain word."""
    try:
        yield
    except (TemplateError, Unset) as error:
        stop(str(error), code=MISUSED)
    except (Refused, Fault) as error:
        stop(str(error), code=WRONG)
    except OSError as error:
        stop(f"cannot write {error.filename}: {error.strerror}")
    except BotoCoreError as error:
        stop(f"the AWS variables are not a valid configuration: {error}")


def _templates(fleet: Fleet, parts: Sequence[str] | None, folder: Path | None) -> list[Template]:
    home = home_of_templates(folder)
    return [read_template(home, part) for part in in_order(parts or usual_parts(fleet.made()))]


def _fed_back(fleet: Fleet, wanted: Sequence[Template], folder: Path | None) -> list[Template]:
    """Stacks that take something from those that were just made after them."""
    home, order, names = home_of_templates(folder), list(PARTS), {one.name for one in wanted}
    found = (read_template(home, part) for part in in_order({*fleet.made(), *names}))
    return [one for one in found if feeds_back(one, (w for w in wanted if order.index(w.name) > order.index(one.name)))]


def _bring_up(fleet: Fleet, template: Template, *, chosen: Mapping[str, str], ask: Ask, quiet: bool) -> dict[str, Any]:
    outlook = fleet.outlook(template, chosen=chosen)
    if not quiet:
        _show(fleet, outlook, template)
    if outlook.proposal is None:
        return _summary(outlook, did="nothing")
    try:
        agreed = ask(outlook)
    except BaseException:
        fleet.stacks.discard(outlook.proposal)
        raise
    if not agreed:
        fleet.stacks.discard(outlook.proposal)
        stop(f"{outlook.proposal.stack} was not touched, nor what comes after it", code=WRONG)
    fleet.stacks.carry_out(outlook.proposal)
    return _summary(outlook, did="created" if outlook.proposal.creates else "updated")


def _asker(*, yes: bool, lose: bool) -> Ask:
    def ask(outlook: Outlook) -> bool:
        assert outlook.proposal is not None
        lost = losses(outlook.proposal.changes)
        if yes and lost and not lose:
            stop(f"{outlook.name}: this would lose {', '.join(lost)}; give --lose-data if that is meant", code=WRONG)
        return yes or typer.confirm(f"  {'Lose ' + ', '.join(lost) if lost else 'Do this'}?")

    return ask


def _show(fleet: Fleet, outlook: Outlook, template: Template) -> None:
    name = fleet.stack_name(outlook.name)
    if outlook.awaits:
        made = f"{len(template.resources)} resources"
        say(f"{name}: to be made ({made}); what it takes from {fleet.stack_name(outlook.awaits)} is not known yet")
    elif outlook.proposal is None:
        say(f"{name}: as it should be")
    else:
        say(f"{name}: {'to be made' if outlook.proposal.creates else 'to be changed'}", style="bold")
        for change in outlook.proposal.changes:
            say(f"  {in_words(change)}", style="bold red" if change.loses else "")


def _summary(outlook: Outlook, *, did: str) -> dict[str, Any]:
    proposal: Proposal | None = outlook.proposal
    changes = proposal.changes if proposal else ()
    return {
        "stack": outlook.name,
        **({"did": did} if did else {}),
        **({"awaits": outlook.awaits} if outlook.awaits else {}),
        "creates": bool(proposal and proposal.creates) or bool(outlook.awaits),
        "changes": [in_words(change) for change in changes],
        "loses": list(losses(changes)),
    }


def _settings(fleet: Fleet) -> dict[str, str]:
    outputs = all_outputs(stack.outputs for stack in fleet.made().values())
    return settings_of(outputs, region=fleet.stacks.aws.region)


def _write(fleet: Fleet, path: Path) -> None:
    write_settings(path, found := _settings(fleet))
    typer.echo(f"{len(found)} settings in {path}", err=True)


def _show_removal(fleet: Fleet, gone: Sequence[str], kept: Mapping[str, str], waiting: Mapping[str, int]) -> None:
    for part in gone:
        say(f"- {fleet.stack_name(part)}: {PARTS[part].purpose}")
    for name, kind in kept.items():
        say(f"  stays: {name} ({kind.removeprefix('AWS::').replace('::', ' ')})")
    for queue, count in waiting.items():
        say(f"! {count} messages wait in {queue}", style="bold red")
    if not gone:
        say(f"no stack of the fleet {fleet.prefix!r} is here")
