"""Labelled pairs from tables of facts.

In every round, a few facts of one group exchange their values: each subject is stated once with its own value
and once with the value of another, all in the same words. Every answer text so occurs as often true as false
within its group, and neither the words nor the length of an answer tell its label.
"""

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from models.facts import (
    companies,
    countries,
    elements,
    general,
    numbers,
    states,
    units,
    words,
)
from models.facts.groups import partition
from models.facts.phrasing import choose_form
from models.facts.split import is_trained_on
from models.facts.table import Domain, Fact, Kind

MOST_PAIRS = 350
MOST_MEASURED = 300  # of a kind that is not trained on
ROUND_SIZE = 6
TRIES = 40


@dataclass(frozen=True)
class Pair:
    """A question with an answer, and the fact behind them.

    Parameters
    ----------
    kind, group : str
        Topic of the kind of fact, and the group that must not be split.
    fact : Fact
        Subject and true value.
    value : str
        The value that the answer claims.
    prompt, answer : str
        The texts.
    """

    kind: str
    group: str
    fact: Fact
    value: str
    prompt: str
    answer: str

    @property
    def hallucinated(self) -> bool:
        """Whether the claimed value is false."""
        return self.value != self.fact.value


@cache
def domains() -> tuple[Domain, ...]:
    """Return all domains with their kinds of fact."""
    return (
        countries.domain(),
        states.domain(),
        elements.domain(),
        companies.domain(),
        words.domain(),
        numbers.domain(),
        units.domain(),
        *general.domains(),
    )


def _choose(facts: Sequence[Fact], most: int, uses: Counter[Fact], rng: random.Random) -> list[Fact]:
    """Choose facts of one frame with different subjects and values, the least used first, none used up."""
    frames = sorted({fact.frame for fact in facts})
    rng.shuffle(frames)
    frames.sort(key=lambda frame: sum(uses[fact] for fact in facts if fact.frame == frame))
    for frame in frames:
        candidates = [fact for fact in facts if fact.frame == frame and uses[fact] < most]
        rng.shuffle(candidates)
        candidates.sort(key=lambda fact: uses[fact])
        chosen: list[Fact] = []
        for fact in candidates:
            if all(fact.value != other.value and fact.subject != other.subject for other in chosen):
                chosen.append(fact)
        if len(chosen) > 1:
            return chosen[:ROUND_SIZE]
    return []


def _exchange(facts: list[Fact], rng: random.Random) -> list[tuple[Fact, str]]:
    """Give every fact the value of another, so that none of the new statements is true.

    Where that is impossible for all, the fact that stands in the way is left out.
    """
    facts = list(facts)
    while len(facts) > 1:
        for _ in range(TRIES):
            values = [fact.value for fact in facts]
            rng.shuffle(values)
            if not any(fact.admits(value) for fact, value in zip(facts, values, strict=True)):
                return list(zip(facts, values, strict=True))
        hindrance = max(
            facts, key=lambda fact: sum(fact.admits(o.value) or o.admits(fact.value) for o in facts)
        )
        facts.remove(hindrance)
    return []


def _round(
    kind: Kind, group: str, facts: Sequence[Fact], uses: Counter[Fact], rng: random.Random
) -> list[Pair]:
    """Make the pairs of one round: a form, and true and false statements in that form."""
    exchanged = _exchange(_choose(facts, kind.uses, uses, rng), rng)
    form = choose_form(kind.phrasing, rng)
    pairs = []
    for fact, false_value in exchanged:
        for value in (fact.value, false_value):
            prompt, answer = form.render(fact.subject, value, fact.frame, fact.asides)
            pairs.append(Pair(kind.topic, group, fact, value, prompt, answer))
    return pairs


def kind_pairs(
    domain: Domain, kind: Kind, groups: list[list[str]], rng: random.Random, most: int
) -> list[Pair]:
    """Make the pairs of one kind.

    Parameters
    ----------
    domain : Domain
        The domain that the kind belongs to.
    kind : Kind
        The facts and their phrasing.
    groups : list of list of str
        Partition of the domain's entities.
    rng : random.Random
        Source of chance.
    most : int
        From this number of pairs on no more are made.

    Returns
    -------
    list of Pair
        As many true as false pairs, those of a group side by side.
    """
    members = [[fact for fact in kind.facts if fact.entity in set(group)] for group in groups]
    made: dict[int, list[Pair]] = {number: [] for number in range(len(groups))}
    seen: set[tuple[str, str]] = set()
    uses: Counter[Fact] = Counter()
    total, idle = 0, 0
    # Groups take turns, so that well-supplied ones do not crowd out the others.
    while total < most and idle < TRIES:
        idle += 1
        for number, facts in enumerate(members):
            pairs = _round(kind, _group_name(domain, number), facts, uses, rng)
            texts = [(pair.prompt, pair.answer) for pair in pairs]
            # The same text twice, or once under each label, is no second example.
            if not pairs or len(set(texts)) < len(texts) or seen & set(texts) or total >= most:
                continue
            seen.update(texts)
            uses.update({pair.fact for pair in pairs})
            made[number] += pairs
            total += len(pairs)
            idle = 0
    return [pair for number in sorted(made) for pair in made[number]]


def _groups(domain: Domain, seed: int) -> list[list[str]]:
    return partition(domain.entities, random.Random(f"{seed} {domain.name}"))  # noqa: S311


def _group_name(domain: Domain, number: int) -> str:
    return f"{domain.name}-{number:03d}"


def group_of_entities(seed: int = 0) -> dict[str, str]:
    """The group of every entity of every domain, by ``DOMAIN-ENTITY``, as `all_pairs` names it."""
    return {
        f"{domain.name}-{entity}": _group_name(domain, number)
        for domain in domains()
        for number, entities in enumerate(_groups(domain, seed))
        for entity in entities
    }


def all_pairs(seed: int = 0, unknown: Collection[str] = (), most: int | None = None) -> list[Pair]:
    """Make the pairs of all kinds.

    Parameters
    ----------
    seed : int, default 0
        Seed of every random choice.
    unknown : collection of str, default ()
        Kinds that are not trained on, since the language model hardly knows them.
    most : int, optional
        Of a kind; more of those that are trained on than of the others if not given.

    Returns
    -------
    list of Pair
        Pairs in the order of domains, kinds and groups.
    """
    pairs = []
    for domain in domains():
        groups = _groups(domain, seed)
        for kind in domain.kinds:
            # A generator for each kind: a change to one table leaves the pairs of the others as they were.
            wanted = most or (MOST_PAIRS if is_trained_on(kind.topic, unknown) else MOST_MEASURED)
            rng = random.Random(f"{seed} {kind.name}")  # noqa: S311 - a corpus, not a secret
            pairs += kind_pairs(domain, kind, groups, rng, wanted)
    return pairs


def build_pairs(seed: int = 0, unknown: Collection[str] = ()) -> list[dict[str, object]]:
    """Make labelled (prompt, answer) records from the fact tables.

    Parameters
    ----------
    seed : int, default 0
        Seed of every random choice.
    unknown : collection of str, default ()
        As for `all_pairs`.

    Returns
    -------
    list of dict
        Records with `id`, `group`, `topic`, `prompt`, `answer` and `hallucinated`.
    """
    numbers: Counter[str] = Counter()
    records: list[dict[str, object]] = []
    for pair in all_pairs(seed, unknown):
        records.append(
            {
                "id": f"{pair.kind}-{numbers[pair.kind]:04d}",
                "group": pair.group,
                "topic": pair.kind,
                "prompt": pair.prompt,
                "answer": pair.answer,
                "hallucinated": pair.hallucinated,
            }
        )
        numbers[pair.kind] += 1
    return records
