"""Facts about characters: what a sign is called."""

import unicodedata

from models.facts.phrasing import Phrasing
from models.facts.table import Domain, Entity, Fact, Kind

FAMILIES = {
    # a stop or a comma would merge with the sentence's own
    "punctuation": "?!:;()[]\"'/\\_~^|@#&*¿¡§¶†•",
    "mathematics": "%+=<>×÷±√∞≠≤≥∑∫½°→←",
    "money and trade": "$€£¥©®™",
    "Greek": "αβγδεηθλμπρστφχψω",
}
# Unicode's names against those that people use.
COMMON = {
    "commercial at": "at sign",
    "number sign": "number sign",
    "solidus": "slash",
    "reverse solidus": "backslash",
    "low line": "underscore",
    "vertical line": "vertical bar",
    "circumflex accent": "caret",
    "vulgar fraction one half": "fraction one half",
    "n-ary summation": "summation sign",
    "not equal to": "not-equal sign",
    "less-than or equal to": "less-than-or-equal sign",
    "greater-than or equal to": "greater-than-or-equal sign",
    "square root": "square root sign",
    "rightwards arrow": "right arrow",
    "leftwards arrow": "left arrow",
    "trade mark sign": "trademark sign",
}
GREEK = "greek small letter "

NAME = Phrasing(
    ask=(
        "What is the character {s} called?",
        "What is the name of the sign {s}?",
        "How do you call the character {s}?",
        "What does the sign {s} stand for?",
        "I see the character {s} in a text. What is it?",
        "Name the character {s}.",
    ),
    ask_subject=(
        "Which character is {v}?",
        "How is {v} written?",
        "Show me {v}.",
    ),
    about=(
        "Tell me something about the sign {s}.",
        "Explain the sign {s}.",
        "{s}",
        "What do you know about {s}?",
    ),
    about_value=("Tell me something about {v}.", "What does {v} look like?"),
    claims=(
        "The character {s} is {v}.",
        "The sign {s} is called {v}.",
        "{V} is written as {s} in a text.",
        "People who type {s} mean {v}.",
        "The character that we write as {s} is {v}.",
        "The name of {s} is {v}.",
    ),
    short=("{V}.", "{V}", "It is {v}.", "That is {v}.", "It is called {v}.", "We call it {v}."),
    short_subject=("{s}", "It is {s}", "The character {s}", "That would be {s}"),
)


def names() -> tuple[Fact, ...]:
    """Return characters with the names that people call them by."""
    facts = []
    for character in "".join(FAMILIES.values()):
        name = unicodedata.name(character).lower()
        if name.startswith(GREEK):
            name = f"Greek letter {name.removeprefix(GREEK)}"
        facts.append(Fact(character, character, f"the {COMMON.get(name, name)}"))
    return tuple(facts)


def domain() -> Domain:
    """Return the facts about characters."""
    entities = [
        Entity(character, family, float(rank))
        for family, characters in FAMILIES.items()
        for rank, character in enumerate(characters)
    ]
    return Domain("character", tuple(entities), (Kind("character_name", names(), NAME),))
