"""The answer to an appeal or a report: the application is told what came of it, to tell whoever asked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tasks.act.notify import about, publish
from tasks.decide.rule_path import paths_of
from tasks.desk import Desk
from tasks.record.standing import Standing
from tasks.review.asked import UPHELD, outcome_of
from tasks.review.case import Case, Side

#: What an uploader is told whose appeal changes nothing; that something is back, another notice tells.
STANDS: Mapping[str, str] = MappingProxyType(
    {
        "en": "Somebody who was not involved before has looked at it again. The decision stands. Reason: {reasons}. "
        "You may also turn to a certified dispute settlement body or to a court.",
        "de": "Jemand, der vorher nicht beteiligt war, hat noch einmal hingesehen. Die Entscheidung bleibt bestehen. "
        "Grund: {reasons}. Du kannst dich auch an eine zugelassene Streitbeilegungsstelle oder ein Gericht wenden.",
        "fr": "Une personne sans lien avec la première décision a réexaminé la décision. Elle est maintenue. Motif : "
        "{reasons}. Vous pouvez aussi saisir un organe de règlement des litiges certifié ou un tribunal.",
        "es": "Una persona que no había intervenido antes lo ha revisado de nuevo. La decisión se mantiene. Motivo: "
        "{reasons}. También puedes acudir a un órgano de resolución de litigios certificado o a un tribunal.",
    }
)


def answer(desk: Desk, case: Case, standing: Standing, *, result: str) -> dict[str, Any]:
    """Tell what came of it: nothing where nobody had asked. Raises Fault.

    `notice_id` is the same when a crash made modfleet say it twice: consumers drop the second.
    """
    if case.appeal is None or case.ruling is None:
        return {}
    return publish(desk, notice_of(desk, case, standing, result=result))


def notice_of(desk: Desk, case: Case, standing: Standing, *, result: str) -> dict[str, Any]:
    """What the application is told. It has the reasons again, and neither a reviewer's words nor anybody's name."""
    assert case.appeal is not None  # whoever calls has looked
    assert case.ruling is not None
    outcome = outcome_of(case.appeal, result)
    stands = outcome == UPHELD and case.appeal.side is Side.UPLOADER
    return {
        "type": f"{case.appeal.ask}_decided",
        "notice_id": f"{case.case_id[:32]}-{case.ruling.ruling_id[:32]}-answer",
        **about(standing),
        "side": str(case.appeal.side),
        "outcome": outcome,
        "status": result,
        "decided_at": case.ruling.at,
        "texts": stands_in_words(desk, standing) if stands else {},
    }


def stands_in_words(desk: Desk, standing: Standing) -> dict[str, str]:
    """That a decision stands, by language: in the reader's and the default one, or in all where theirs is not known."""
    notices = desk.policy.notices
    paths = paths_of((*standing.rules, *standing.braked), standing.findings)
    own = notices.known(standing.language)
    wanted = dict.fromkeys((own, notices.language)) if own else dict.fromkeys(notices.languages)
    texts = {}
    for language in wanted:
        words = notices.reasons(paths, surface=standing.surface, language=language)
        short = language.partition("-")[0].casefold()
        texts[language] = STANDS.get(short, STANDS["en"]).format(reasons="; ".join(words))
    return texts
