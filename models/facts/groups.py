"""Partition of a domain's entities into small groups of similar and equally well-known ones."""

import random
from collections.abc import Sequence
from statistics import mean

from models.facts.table import Entity

HALF = 3


def _batches(members: Sequence[Entity], rng: random.Random) -> list[list[Entity]]:
    """Cut the members of one family into batches of equal fame."""
    ranked = sorted(members, key=lambda entity: (entity.rank, entity.key))
    # Neighbours in rank change places, so that another seed gives other groups of equally known entities.
    for start in range(0, len(ranked), 4 * HALF):
        window = ranked[start : start + 4 * HALF]
        rng.shuffle(window)
        ranked[start : start + 4 * HALF] = window
    return [ranked[start : start + HALF] for start in range(0, len(ranked), HALF)]


def partition(entities: Sequence[Entity], rng: random.Random) -> list[list[str]]:
    """Put entities into groups of about six: three of one family with three of another.

    A false answer then comes from the same family about half of the time.

    Parameters
    ----------
    entities : sequence of Entity
        All entities of a domain.
    rng : random.Random
        Source of chance.

    Returns
    -------
    list of list of str
        Keys of the entities in each group; every key is in one group.
    """
    families: dict[str, list[Entity]] = {}
    for entity in entities:
        families.setdefault(entity.family, []).append(entity)
    batches, rest = [], []
    for _, members in sorted(families.items()):
        for batch in _batches(members, rng):
            if len(batch) == HALF:
                batches.append(batch)
            else:
                rest += batch
    # What is left over of several families makes mixed batches.
    batches += _batches(rest, rng)
    batches.sort(key=lambda batch: (mean(entity.rank for entity in batch), batch[0].key))
    groups = []
    while batches:
        first = batches.pop(0)
        own = {entity.family for entity in first}
        partners = (i for i, batch in enumerate(batches) if not own & {entity.family for entity in batch})
        position = next(partners, 0 if batches else None)
        second = [] if position is None else batches.pop(position)
        groups.append([entity.key for entity in [*first, *second]])
    return groups
