"""Questions from the fact tables behind `make models`, with every answer that counts as right.

Only kinds of fact are asked whose true values have a name, and only in words that ask for that name: "Where
is Lyon?" may be answered by a river, and such an answer would be labelled false for being a different truth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from models.facts.pairs import domains
from models.facts.table import Fact, Kind
from models.facts.text import capitalised, sentence
from models.question import Question

#: Kinds whose true values can be put in many words, or are not all in the tables (small neighbours).
NOT_ASKED = frozenset(
    {
        "border",
        "company_business",
        "company_profile",
        "country_profile",
        "element_name_origin",
        "element_profile",
        "kind_of_thing",
        "unit_quantity",
    }
)
#: Questions that other truths would answer too.
OPEN = frozenset(
    {
        "Where in the world is {s}?",
        "In what part of the world does {s} lie?",
        "In what part of the world is {s}?",
        "Where is {s}?",
        "Where can you find the city of {s}?",
        "Where in the United States is {s}?",
        "Where is the state capitol of {s}?",
        "Where is the headquarters of {s}?",
        "Where is {s} headquartered?",
        "Where does {s} have its head office?",
        "What kind of element is {s}?",
        "What type of chemical element is {s}?",
        "How is {s} classified in the periodic table?",
    }
)
#: What else people call the values of the tables; of countries with many companies or cities the adjective
#: too ("Bayer is a German company").
OTHER_NAMES = {
    "the United States": ("USA", "US", "America", "American"),
    "the United Kingdom": ("UK", "Great Britain", "Britain", "England", "Scotland", "British", "English"),
    "Germany": ("German",),
    "France": ("French",),
    "Japan": ("Japanese",),
    "Spain": ("Spanish",),
    "Switzerland": ("Swiss",),
    "the Netherlands": ("Holland", "Dutch"),
    "Sweden": ("Swedish",),
    "Italy": ("Italian",),
    "Finland": ("Finnish",),
    "Belgium": ("Belgian",),
    "Russia": ("Russian",),
    "China": ("Chinese",),
    "Poland": ("Polish",),
    "Ukraine": ("Ukrainian",),
    "Brazil": ("Brazilian",),
    "Mexico": ("Mexican",),
    "Canada": ("Canadian",),
    "the Czech Republic": ("Czechia", "Czech"),
    "the United Arab Emirates": ("UAE",),
    "the Democratic Republic of the Congo": ("Democratic Republic of Congo", "DR Congo", "DRC"),
    "Ivory Coast": ("Côte d'Ivoire",),
    "Myanmar": ("Burma",),
    "Turkey": ("Türkiye", "Turkish"),
    "Washington, D.C.": ("Washington",),
    "Kyiv": ("Kiev",),
    "Ulaanbaatar": ("Ulan Bator",),
    "Oceania": ("Australia", "Australasia"),
    "Persian": ("Farsi",),
}
_PEOPLE = "element_discoverer"


def fact_questions() -> list[Question]:
    """Every subject of the fact tables asked about once for each kind of fact.

    Returns
    -------
    list of Question
        In the order of the tables. The group is the entity that a fact is about: what is asked of one country
        stays together, the cities in it included.
    """
    return [
        question
        for domain in domains()
        for kind in domain.kinds
        if kind.name not in NOT_ASKED
        for question in _kind_questions(domain.name, kind)
    ]


def _kind_questions(domain: str, kind: Kind) -> list[Question]:
    # several facts about one subject are several answers to one question
    subjects: dict[tuple[str, str], list[Fact]] = {}
    for fact in kind.facts:
        subjects.setdefault((fact.subject, fact.frame), []).append(fact)
    templates = [template for template in kind.phrasing.ask if template not in OPEN]
    questions = []
    for (subject, frame), facts in subjects.items():
        name = f"{kind.name}-{subject}-{frame}".rstrip("-")
        template = templates[int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(templates)]
        words = {"s": subject, "S": capitalised(subject), "frame": frame}
        doubtful = {value for fact in facts for value in fact.also} - {fact.value for fact in facts}
        questions.append(
            Question(
                id=name,
                text=sentence(template.format(**words)),
                answers=tuple(accepted((fact.value for fact in facts), people=kind.name == _PEOPLE)),
                group=f"{domain}-{facts[0].entity}",
                topic=kind.name,
                doubtful=tuple(accepted(sorted(doubtful))),
            )
        )
    return questions


def accepted(values: Iterable[str], *, people: bool = False) -> list[str]:
    """Values of the tables with the other names that they go by.

    Parameters
    ----------
    values : iterable of str
        True values.
    people : bool, default False
        Whether they are names of people, joined by "and" where they are several: each of them is an answer,
        by the surname alone too.
    """
    names: list[str] = []
    for value in values:
        names += [value, *OTHER_NAMES.get(value, ())]
        if people:
            persons = value.split(" and ")
            names += [*persons, *(person.split()[-1] for person in persons)]
    return list(dict.fromkeys(names))
