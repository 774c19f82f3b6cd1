"""General knowledge, written for this project: what people know of things, words, work, nature and stories.

Each file in ``general/`` is a topic of some sixty relations; each relation has some ten facts that share
their wording, and is a group of its own.
"""

import re
from functools import cache
from pathlib import Path

import tomli

from models.facts.phrasing import ABOUT, BARE, Phrasing
from models.facts.table import Domain, Entity, Fact, Kind

TABLES = Path(__file__).parent / "general"
# Subjects that are surely nouns: "Tell me something about {s}." fits no clause.
_NOUN = re.compile(r"(an?|the) [\w'-]+( [\w'-]+)?|[A-Z][\w'.-]*( [A-Z][\w'.-]*)*")


@cache
def domains() -> tuple[Domain, ...]:
    """Return one domain for each relation of each topic."""
    found = []
    for path in sorted(TABLES.glob("*.toml")):
        relations = tomli.loads(path.read_text(encoding="utf-8"))["relation"]
        for relation in relations:
            name = f"{path.stem}-{relation['name']}"
            also = relation.get("also", {})
            facts = tuple(
                Fact(name, subject, value, also=frozenset(also.get(subject, ())))
                for subject, value in relation["facts"]
            )
            named = all(_NOUN.fullmatch(fact.subject) for fact in facts)
            phrasing = Phrasing(
                ask=tuple(relation["ask"]),
                claims=tuple(relation["claims"]),
                short=tuple(relation["short"]),
                about=ABOUT if named else BARE,
            )
            kind = Kind(name, facts, phrasing, topic=path.stem, uses=1)
            found.append(Domain(name, (Entity(name),), (kind,)))
    return tuple(found)
