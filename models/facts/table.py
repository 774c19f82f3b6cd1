"""What a table of facts is made of: entities, facts about them, and the kinds that facts come in."""

from collections.abc import Iterable
from dataclasses import dataclass

from models.facts.phrasing import Phrasing


@dataclass(frozen=True)
class Entity:
    """Something that facts are about.

    Parameters
    ----------
    key : str
        Name that is unique in the domain.
    family : str
        What it is similar to: half of a group is of one family, so that false answers are near.
    rank : float
        How little known it is; entities of similar rank share a group, so that false answers are as common.
    """

    key: str
    family: str = ""
    rank: float = 0.0


@dataclass(frozen=True)
class Fact:
    """A subject and its true value.

    Parameters
    ----------
    entity : str
        Key of the entity that the fact is about; it decides the group.
    subject, value : str
        As they stand inside an English sentence.
    frame : str
        What both sides of the sentence share, for instance a language. Values change places inside one frame.
    also : frozenset of str
        Other values that are true of the subject, or near enough to be argued about.
    asides : tuple of str
        True sentences about the subject that do not give the value away.
    """

    entity: str
    subject: str
    value: str
    frame: str = ""
    also: frozenset[str] = frozenset()
    asides: tuple[str, ...] = ()

    def admits(self, value: str) -> bool:
        """Tell whether a value is true of the subject, or too close to the truth to be called false."""
        return value == self.value or value in self.also


@dataclass(frozen=True)
class Kind:
    """Facts of one kind and the ways to ask for them.

    Parameters
    ----------
    name : str
        The kind's name, which no other kind has.
    facts : tuple of Fact
        The table.
    phrasing : Phrasing
        Questions and sentences.
    shared : bool
        Whether several subjects have the same value, so that a value turns up in more than one group.
    topic : str
        What its records have as their topic, by which kinds are trained on or not; the name if empty.
    uses : int
        How often a fact may be stated as it is: enough for many phrasings, and not so often that a model
        could learn it by heart.
    """

    name: str
    facts: tuple[Fact, ...]
    phrasing: Phrasing
    shared: bool = False
    topic: str = ""
    uses: int = 9

    def __post_init__(self) -> None:
        """Give the kind its own name as a topic if it has no other."""
        if not self.topic:
            object.__setattr__(self, "topic", self.name)


@dataclass(frozen=True)
class Domain:
    """Entities of one sort and all kinds of fact about them, which share one partition into groups."""

    name: str
    entities: tuple[Entity, ...]
    kinds: tuple[Kind, ...]


def without_doubles(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Drop facts whose value belongs to another entity too, for kinds in which a value names one entity.

    Parameters
    ----------
    facts : iterable of Fact
        Facts of one kind.

    Returns
    -------
    tuple of Fact
        Those whose value stands for a single entity.
    """
    kept = list(facts)
    owners: dict[str, set[str]] = {}
    for fact in kept:
        owners.setdefault(fact.value, set()).add(fact.entity)
    return tuple(fact for fact in kept if len(owners[fact.value]) == 1)
