"""The v7 taxonomy: every label, every way to name it, and what it says about names it does not have."""

from __future__ import annotations

import pytest

from tasks.decide.taxonomy import FORMER, LEVEL_1, PATHS, UnknownLabel, full_path, known_path, lineage


def test_the_taxonomy_has_as_many_labels_on_each_level_as_rekognition() -> None:
    assert [sum(path.count("/") == level for path in PATHS) for level in range(4)] == [10, 20, 22, 0]
    assert len(LEVEL_1) == 10


def test_no_two_labels_share_a_name_so_that_a_name_is_enough() -> None:
    names = [path.rpartition("/")[2].casefold() for path in PATHS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Violence", "Violence"),
        ("Weapons", "Violence/Weapons"),
        ("Violence/Weapons", "Violence/Weapons"),
        ("graphic violence/SELF-HARM", "Violence/Graphic Violence/Self-Harm"),
        ("Female Swimwear Or Underwear", "Swimwear or Underwear/Female Swimwear or Underwear"),
        (
            "Non-Explicit Nudity of Intimate Parts and Kissing",
            "Non-Explicit Nudity of Intimate parts and Kissing",
        ),
    ],
)
def test_a_label_is_found_by_its_name_or_the_end_of_its_path_in_any_case(name: str, path: str) -> None:
    assert full_path(name) == path


@pytest.mark.parametrize("path", PATHS)
def test_every_path_names_itself(path: str) -> None:
    assert known_path(path) == path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Wepons", 'unknown label "Wepons"; the nearest is "Weapons"'),
        ("violence/slef-harm", 'unknown label "violence/slef-harm"; the nearest is "Self-Harm"'),
        ("Gambling/Weapons", 'unknown label "Gambling/Weapons"; the nearest is "Weapons"'),
        ("NAZI", 'unknown label "NAZI"; the nearest is "Nazi Party"'),
        ("qqqq", 'unknown label "qqqq"; the v7 taxonomy has nothing like it'),
        ("drugs", 'unknown label "drugs" is a name of model v6; v7 says "Drugs & Tobacco"'),
        (
            "Suggestive",
            'unknown label "Suggestive" is a name of model v6; v7 says '
            '"Non-Explicit Nudity of Intimate parts and Kissing" and "Swimwear or Underwear"',
        ),
    ],
)
def test_an_unknown_name_is_refused_with_the_right_one(name: str, says: str) -> None:
    assert known_path(name) is None
    with pytest.raises(UnknownLabel) as error:
        full_path(name)
    assert str(error.value) == says


def test_every_former_name_is_gone_and_leads_to_names_that_exist() -> None:
    for former, names in FORMER.items():
        assert known_path(former) is None, former
        assert all(full_path(name).endswith(name) for name in names), former


@pytest.mark.parametrize(
    ("former", "now"),
    {
        "Suggestive": ("Non-Explicit Nudity of Intimate parts and Kissing", "Swimwear or Underwear"),
        "Nudity": ("Exposed Female Nipple", "Exposed Buttocks or Anus"),
        "Graphic Male Nudity": ("Exposed Male Genitalia",),
        "Graphic Female Nudity": ("Exposed Female Genitalia",),
        "Sexual Activity": ("Explicit Sexual Activity",),
        "Illustrated Explicit Nudity": ("Explicit Nudity", "Explicit Sexual Activity"),
        "Adult Toys": ("Sex Toys",),
        "Partial Nudity": ("Implied Nudity",),
        "Barechested Male": ("Exposed Male Nipple",),
        "Revealing Clothes": ("Non-Explicit Nudity",),
        "Sexual Situations": ("Kissing on the Lips",),
        "Graphic Violence Or Gore": ("Graphic Violence", "Blood & Gore"),
        "Self Injury": ("Self-Harm",),
        "Hanging": ("Corpses",),
        "Drugs": ("Drugs & Tobacco",),
        "Tobacco": ("Drugs & Tobacco",),
        "Drug Products": ("Products",),
        "Tobacco Products": ("Products",),
        "Drug Use": ("Drugs & Tobacco Paraphernalia & Use",),
        "Drug Paraphernalia": ("Drugs & Tobacco Paraphernalia & Use",),
    }.items(),
)
def test_each_name_of_model_v6_that_is_gone_says_what_it_is_called_now(former: str, now: tuple[str, ...]) -> None:
    said = " and ".join(f'"{name}"' for name in now)
    for written in (former, former.casefold(), f"Elsewhere/{former}"):
        with pytest.raises(UnknownLabel) as refused:
            full_path(written)
        assert str(refused.value) == f'unknown label "{written}" is a name of model v6; v7 says {said}'


def test_a_lineage_goes_from_the_label_up_to_the_first_level() -> None:
    path = "Violence/Graphic Violence/Self-Harm"
    assert lineage(path) == (path, "Violence/Graphic Violence", "Violence")
    assert lineage("Violence") == ("Violence",)
