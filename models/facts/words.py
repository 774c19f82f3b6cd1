"""Facts about words: translations of everyday nouns, the language of a word, kinds of thing."""

from collections import Counter
from functools import cache

import emoji
from babel import Locale

from models.facts.table import Domain, Entity, Fact, Kind
from models.facts.text import with_article
from models.facts.word_templates import KIND_OF_THING, LANGUAGE_OF, TRANSLATION

LANGUAGES = {"es": "Spanish", "fr": "French", "de": "German", "it": "Italian", "pt": "Portuguese"}
# Everyday nouns by the kind of thing they name; the emoji tables hold their translations.
THINGS = {
    "mammal": "rat mouse ox cow tiger leopard rabbit cat whale horse goat monkey dog pig boar "
    "elephant camel dolphin wolf bear lion bat fox deer gorilla rhinoceros zebra "
    "hedgehog kangaroo hippopotamus raccoon badger otter skunk beaver bison seal "
    "moose donkey giraffe sloth",
    "bird": "rooster chicken penguin turkey eagle duck owl peacock parrot swan flamingo goose dove",
    "insect": "ant honeybee butterfly cricket mosquito fly beetle cockroach",
    "reptile": "crocodile snake turtle lizard",
    "fruit": "banana pineapple grapes melon watermelon lemon pear peach cherries strawberry "
    "blueberries coconut",
    "vegetable": "potato carrot broccoli onion garlic cucumber",
    "vehicle": "train bus tram taxi automobile tractor bicycle motorcycle ambulance locomotive trolleybus",
    "musical instrument": "guitar violin trumpet saxophone drum flute harp accordion trombone",
    "tool": "hammer wrench screwdriver shovel axe scissors broom ladder",
    "piece of clothing": "dress necktie jeans scarf gloves coat socks shorts",
    "part of the body": "eye ear nose mouth tongue bone leg foot tooth brain lungs",
    "building": "castle hospital school factory church mosque synagogue lighthouse stadium",
    "person": "boy girl man woman baby child prince princess",
    "thing in the sky": "sun cloud star rainbow comet",
    "object": "candle key bell mirror window door bed chair bucket spoon umbrella letter camera "
    "telephone newspaper magnet bridge ring crown compass soap basket coin anchor "
    "envelope pencil pen battery watch knot feather fire mountain volcano",
}
# Words of the emoji tables that name another thing than the English word, or a special sort of it.
MISTRANSLATED = {
    "it": [
        "rat",
        "mouse",
        "camel",
        "cow",
        "skunk",
        "potato",
        "newspaper",
        "fly",
        "child",
        "baby",
        "boy",
        "girl",
    ],
    "pt": [
        "rat",
        "snake",
        "frog",
        "lizard",
        "hedgehog",
        "star",
        "spoon",
        "mirror",
        "dog",
        "monkey",
        "mouse",
        "battery",
        "foot",
        "pen",
        "baby",
        "soap",
        "wrench",
        "beaver",
        "turkey",
        "fire",
        "anchor",
        "chicken",
        "skunk",
        "badger",
        "bone",
        "cherries",
    ],
    "es": [
        "camel",
        "donkey",
        "goose",
        "lobster",
        "drum",
        "letter",
        "banana",
        "locomotive",
        "jeans",
        "battery",
        "bus",
        "child",
        "bucket",
        "compass",
        "envelope",
    ],
    "fr": [
        "camel",
        "sheep",
        "watch",
        "star",
        "person",
        "ring",
        "scarf",
        "battery",
        "pen",
        "trombone",
        "coin",
        "owl",
        "drum",
        "beetle",
    ],
    "de": [
        "camel",
        "rabbit",
        "automobile",
        "carrot",
        "cherries",
        "locomotive",
        "pen",
        "grapes",
        "castle",
        "bridge",
        "melon",
    ],
}
# Kinds that contain one another or share borderline members.
OVERLAPS = {
    "fruit": {"vegetable"},
    "vegetable": {"fruit"},
    "tool": {"object"},
    "piece of clothing": {"object"},
    "musical instrument": {"object", "tool"},
    "vehicle": {"object"},
    "object": set(THINGS) - {"mammal", "bird", "insect", "reptile", "person", "part of the body"},
    "building": {"object"},
    "thing in the sky": {"object"},
    "person": {"mammal"},
    "mammal": {"object"},
    "part of the body": {"object"},
}


@cache
def _names(tag: str) -> dict[str, str]:
    """Return the one-word emoji names of a language by the one-word English name."""
    emoji.config.load_language(tag)
    names: dict[str, str] = {}
    for row in sorted(emoji.EMOJI_DATA.values(), key=lambda row: str(row["en"])):
        english, foreign = str(row["en"]).strip(":"), str(row.get(tag, "")).strip(":")
        if foreign and row["status"] == emoji.STATUS["fully_qualified"] and "_" not in english + foreign:
            names.setdefault(english, foreign[0].upper() + foreign[1:] if tag == "de" else foreign)
    return names


def _category() -> dict[str, str]:
    """Return the kind of thing of every everyday noun."""
    return {word: category for category, words in THINGS.items() for word in words.split()}


def translations() -> tuple[Fact, ...]:
    """Return everyday nouns, days and months with their translations, without those that look alike."""
    facts = []
    english = Locale("en")
    for tag, language in LANGUAGES.items():
        pairs = [(w, _names(tag).get(w, "")) for w in _category() if w not in MISTRANSLATED[tag]]
        for field in ("days", "months"):
            own, foreign = (
                getattr(english, field)["format"]["wide"],
                getattr(Locale(tag), field)["format"]["wide"],
            )
            pairs += [(own[key], foreign[key]) for key in own]
        facts += [
            Fact(word, word, other, frame=language)
            for word, other in pairs
            # A word that begins alike gives itself away by its letters.
            if other and "(" not in other and other[:3].lower() != word[:3].lower()
        ]
    # One foreign word for two English ones is an ambiguous word.
    owners: dict[tuple[str, str], set[str]] = {}
    for fact in facts:
        owners.setdefault((fact.frame, fact.value.lower()), set()).add(fact.entity)
    spelled = Counter((fact.value.lower(), fact.entity) for fact in facts)
    elsewhere = Counter(value for value, _ in spelled)
    return tuple(
        f for f in facts if len(owners[f.frame, f.value.lower()]) == 1 and elsewhere[f.value.lower()] == 1
    )


def word_languages() -> tuple[Fact, ...]:
    """Return foreign words with their languages, without words that are spelled alike in two of them."""
    facts = translations()
    written = Counter(fact.value.lower() for fact in facts)
    others = {tag: {name.lower() for name in _names(tag).values()} for tag in LANGUAGES}
    english = {str(row["en"]).strip(":").lower() for row in emoji.EMOJI_DATA.values()}
    return tuple(
        Fact(f.entity, f.value, f.frame)
        for f in facts
        if written[f.value.lower()] == 1
        and f.value.lower() not in english
        and sum(f.value.lower() in names for names in others.values()) <= 1
    )


def kinds_of_thing() -> tuple[Fact, ...]:
    """Return everyday nouns with the kind of thing they name."""
    facts = []
    for word, category in _category().items():
        # Mass nouns, plurals and words with a second meaning make no plain sentence of this form.
        if (
            category == "object"
            or (word.endswith("s") and word not in ("octopus", "bus"))
            or word in ("turkey", "fly", "star")
        ):
            continue
        also = frozenset(with_article(other) for other in OVERLAPS.get(category, ()))
        subject = (
            word if word in ("garlic", "broccoli") else with_article(word) if word != "sun" else "the sun"
        )
        facts.append(Fact(word, subject, with_article(category), also=also))
    return tuple(facts)


def domain() -> Domain:
    """Return all kinds of fact about words and the things they name."""
    order = {category: float(number) for number, category in enumerate(THINGS)}
    # Kinds that stand side by side share groups, so that a cat is called a bird and not a building.
    entities = [Entity(word, category, order[category]) for word, category in _category().items()]
    english = Locale("en")
    for field in ("days", "months"):
        entities += [
            Entity(word, field, float(len(THINGS)))
            for word in getattr(english, field)["format"]["wide"].values()
        ]
    return Domain(
        "word",
        tuple(entities),
        (
            Kind("word_translation", translations(), TRANSLATION),
            Kind("word_language", word_languages(), LANGUAGE_OF, shared=True),
            Kind("kind_of_thing", kinds_of_thing(), KIND_OF_THING, shared=True),
        ),
    )
