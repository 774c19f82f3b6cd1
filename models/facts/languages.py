"""Facts about languages: the script they are written in and their two-letter codes."""

from babel import Locale
from babel.core import get_global

from models.facts.phrasing import Phrasing
from models.facts.table import Domain, Entity, Fact, Kind

# By number of speakers, as far as they have one script only.
_LANGUAGES = """
    en zh hi es ar fr bn pt ru ur id de mr vi tr it th pl uk fa nl ro sv el hu cs am ps bg fi da no ne sk
    he sq lt yi is et be mk ti
"""
LANGUAGES = _LANGUAGES.split()
SCRIPT_NAMES = {"Simplified Han": "Chinese", "Bangla": "Bengali"}

SCRIPT = Phrasing(
    ask=(
        "Which script is {s} written in?",
        "What writing system does {s} use?",
        "In which script do people write {s}?",
        "Which alphabet is used for {s}?",
        "What are the letters of {s} called?",
        "Which script do I have to learn in order to read {s}?",
    ),
    ask_subject=(
        "Name a language that is written in the {v} script.",
        "Which language uses the {v} script?",
        "Give an example of a language with {v} writing.",
    ),
    about=(
        "Tell me something about the {s} language.",
        "Write one sentence about the {s} language.",
        "I want to learn {s}.",
        "What do you know about the {s} language?",
    ),
    about_value=("Tell me something about the {v} script.", "Who uses the {v} script?"),
    claims=(
        "{S} is written in the {v} script.",
        "The script of the {s} language is {v}.",
        "People write {s} with {v} letters.",
        "The {s} language uses the {v} writing system.",
        "The {v} script is used for {s}.",
        "Whoever wants to read {s} has to know the {v} script.",
    ),
    short=("{V}.", "{V}", "The {v} script.", "It is {v}.", "It uses the {v} script.", "{V} letters."),
)
CODE = Phrasing(
    ask=(
        "What is the ISO code of the {s} language?",
        "Which two-letter code stands for {s}?",
        "How is the {s} language abbreviated on the internet?",
        "What is the language code for {s}?",
        "Name the two-letter code of {s}.",
        "Which letters mark a page in {s}?",
    ),
    ask_subject=(
        "Which language has the code '{v}'?",
        "What language does the code '{v}' stand for?",
        "A page is marked with the language code '{v}'. Which language is it in?",
    ),
    about=(
        "Tell me something about the {s} language.",
        "Write one sentence about the {s} language.",
        "{S}",
        "What do you know about the {s} language?",
    ),
    about_value=("Explain the language code '{v}'.", "What does the language code '{v}' mean?"),
    claims=(
        "The ISO code of {s} is '{v}'.",
        "The {s} language has the code '{v}'.",
        "'{v}' stands for {s}.",
        "Pages in {s} are marked with '{v}'.",
        "The two letters for {s} are '{v}'.",
        "The language code '{v}' means {s}.",
    ),
    short=("'{v}'.", "'{v}'", "It is '{v}'.", "The code is '{v}'.", "The letters are '{v}'."),
)


def codes() -> tuple[Fact, ...]:
    """Return languages with their ISO 639-1 codes."""
    english = Locale("en").languages
    return tuple(Fact(tag, SCRIPT_NAMES.get(english[tag], english[tag]), tag) for tag in LANGUAGES)


def scripts() -> tuple[Fact, ...]:
    """Return languages with their scripts, without those whose script bears their name."""
    english, likely = Locale("en"), get_global("likely_subtags")
    facts = []
    for tag in LANGUAGES:
        script = english.scripts[likely[tag].split("_")[1]]
        script, name = SCRIPT_NAMES.get(script, script), english.languages[tag]
        name = SCRIPT_NAMES.get(name, name)
        if script[:4] != name[:4]:
            facts.append(Fact(tag, name, script))
    return tuple(facts)


def domain() -> Domain:
    """Return the facts about languages."""
    script = {fact.entity: fact.value for fact in scripts()}
    entities = tuple(
        Entity(tag, "Latin" if script.get(tag) == "Latin" else "other", float(rank))
        for rank, tag in enumerate(LANGUAGES)
    )
    return Domain(
        "language",
        entities,
        (Kind("language_script", scripts(), SCRIPT, shared=True), Kind("language_code", codes(), CODE)),
    )
