"""Facts about number words in other languages."""

from num2words import num2words  # type: ignore[import-untyped]

from models.facts.table import Domain, Entity, Fact, Kind
from models.facts.word_templates import NUMBER_WORD
from models.facts.words import LANGUAGES

NUMBER_LANGUAGES = LANGUAGES | {"nl": "Dutch"}


def domain() -> Domain:
    """Return the facts about number words."""
    facts = []
    numbers = [*range(1, 31), *range(32, 100, 3), 40, 50, 60, 70, 80, 90, 100, 1000]
    for tag, language in NUMBER_LANGUAGES.items():
        for number in sorted(set(numbers)):
            word, foreign = num2words(number, lang="en"), num2words(number, lang=tag)
            if word[:4] != foreign[:4]:
                facts.append(Fact(word, word, foreign, frame=language))
    written: dict[str, set[str]] = {}
    for fact in facts:
        written.setdefault(fact.value, set()).add(fact.entity)
    facts = [fact for fact in facts if len(written[fact.value]) == 1]
    entities = tuple(
        Entity(num2words(n, lang="en"), "small" if n <= 20 else "tens" if n % 10 == 0 else "large", n)
        for n in sorted(set(numbers))
    )
    return Domain("number", entities, (Kind("number_word", tuple(facts), NUMBER_WORD),))
