"""Facts about words: translations of everyday nouns, the language of a word, number words, kinds of thing."""

from collections import Counter
from functools import cache

import emoji
from babel import Locale
from num2words import num2words

from models.facts.phrasing import BARE, Phrasing
from models.facts.table import Domain, Entity, Fact, Kind
from models.facts.text import with_article

LANGUAGES = {"es": "Spanish", "fr": "French", "de": "German", "it": "Italian", "pt": "Portuguese"}
NUMBER_LANGUAGES = LANGUAGES | {"nl": "Dutch"}
# Everyday nouns by the kind of thing they name; the emoji tables hold their translations.
THINGS = {
    "mammal": "rat mouse ox cow tiger leopard rabbit cat whale horse goat monkey dog pig boar elephant camel dolphin wolf "
    "bear lion bat fox deer gorilla rhinoceros zebra hedgehog kangaroo hippopotamus raccoon badger otter skunk beaver bison "
    "seal moose donkey giraffe sloth",
    "bird": "rooster chicken penguin turkey eagle duck owl peacock parrot swan flamingo goose dove",
    "insect": "ant honeybee butterfly cricket mosquito fly beetle cockroach",
    "reptile": "crocodile snake turtle lizard",
    "fruit": "banana pineapple grapes melon watermelon lemon pear peach cherries strawberry blueberries coconut",
    "vegetable": "potato carrot broccoli onion garlic cucumber",
    "vehicle": "train bus tram taxi automobile tractor bicycle motorcycle ambulance locomotive trolleybus",
    "musical instrument": "guitar violin trumpet saxophone drum flute harp accordion trombone",
    "tool": "hammer wrench screwdriver shovel axe scissors broom ladder",
    "piece of clothing": "dress necktie jeans scarf gloves coat socks shorts",
    "part of the body": "eye ear nose mouth tongue bone leg foot tooth brain lungs",
    "building": "castle hospital school factory church mosque synagogue lighthouse stadium",
    "person": "boy girl man woman baby child prince princess",
    "thing in the sky": "sun cloud star rainbow comet",
    "object": "candle key bell mirror window door bed chair bucket spoon umbrella letter camera telephone newspaper magnet "
    "bridge ring crown compass soap basket coin anchor envelope pencil pen battery watch knot feather fire mountain volcano",
}  # fmt: skip
# Words of the emoji tables that name another thing than the English word, or a special sort of it.
MISTRANSLATED = {
    ("rat", "it"), ("rat", "pt"), ("mouse", "it"), ("camel", "es"), ("camel", "fr"), ("camel", "de"), ("camel", "it"), ("cow", "it"),
    ("rabbit", "de"), ("sheep", "fr"), ("snake", "pt"), ("frog", "pt"), ("lizard", "pt"), ("donkey", "es"), ("automobile", "de"),
    ("hedgehog", "pt"), ("goose", "es"), ("skunk", "it"), ("lobster", "es"), ("potato", "it"), ("carrot", "de"), ("cherries", "de"),
    ("drum", "es"), ("letter", "es"), ("watch", "fr"), ("star", "fr"), ("star", "pt"), ("person", "fr"), ("ring", "fr"),
    ("newspaper", "it"), ("spoon", "pt"), ("mirror", "pt"), ("fly", "it"), ("banana", "es"), ("dog", "pt"), ("monkey", "pt"),
    ("mouse", "pt"), ("locomotive", "de"), ("locomotive", "es"), ("jeans", "es"), ("scarf", "fr"), ("battery", "es"), ("battery", "pt"),
    ("battery", "fr"), ("bus", "es"), ("child", "es"), ("child", "it"), ("foot", "pt"), ("pen", "pt"), ("pen", "de"), ("pen", "fr"),
    ("trombone", "fr"), ("bucket", "es"), ("baby", "it"), ("baby", "pt"), ("soap", "pt"), ("compass", "es"), ("wrench", "pt"),
    ("coin", "fr"), ("beaver", "pt"), ("turkey", "pt"), ("owl", "fr"), ("fire", "pt"), ("anchor", "pt"), ("chicken", "pt"),
    ("grapes", "de"), ("skunk", "pt"), ("badger", "pt"), ("castle", "de"), ("bone", "pt"), ("envelope", "es"), ("bridge", "de"), ("drum", "fr"), ("melon", "de"), ("boy", "it"), ("girl", "it"), ("cherries", "pt"),
    ("beetle", "fr"),
}  # fmt: skip
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

TRANSLATION = Phrasing(
    ask=(
        "What is the {frame} word for '{s}'?",
        "How do you say '{s}' in {frame}?",
        "Translate '{s}' into {frame}.",
        "What is '{s}' called in {frame}?",
        "Give me the {frame} translation of '{s}'.",
        "I am learning {frame}. What is the word for '{s}'?",
    ),
    ask_subject=(
        "What does the {frame} word '{v}' mean?",
        "What is the English translation of the {frame} word '{v}'?",
        "Translate the {frame} word '{v}' into English.",
        "What does '{v}' mean in {frame}?",
    ),
    about=(
        *BARE,
        "Teach me a {frame} word.",
        "Tell me something about the {frame} language.",
        "I want to learn some {frame}.",
    ),
    claims=(
        "The {frame} word for '{s}' is '{v}'.",
        "In {frame}, '{s}' is called '{v}'.",
        "The {frame} word '{v}' means '{s}'.",
        "'{v}' is the {frame} word for '{s}'.",
        "The English word '{s}' translates to '{v}' in {frame}.",
        "To say '{s}' in {frame}, use the word '{v}'.",
    ),
    about_value=("Tell me something about the {frame} word '{v}'.", "Explain the {frame} word '{v}'."),
    short=(
        "{v}",
        "'{v}'.",
        "It is '{v}'.",
        "The word is '{v}'.",
        "The {frame} word is '{v}'.",
        "You say '{v}'.",
    ),
    short_subject=("{S}.", "'{s}'.", "It means '{s}'.", "That means '{s}'.", "The meaning is '{s}'.", "{S}"),
)
LANGUAGE_OF = Phrasing(
    ask=(
        "Which language does the word '{s}' belong to?",
        "In which language is '{s}' a word?",
        "What language is the word '{s}' from?",
        "Someone said '{s}'. Which language was it?",
        "'{s}' is a word of which language?",
        "Which language do you speak when you say '{s}'?",
    ),
    ask_subject=("Give me a word of the {v} language.", "Tell me a {v} word.", "Give me a noun in {v}."),
    about=(
        "Tell me something about the word '{s}'.",
        "What do you know about the word '{s}'?",
        "Explain the word '{s}'.",
    ),
    claims=(
        "The word '{s}' is {v}.",
        "'{s}' is a word of the {v} language.",
        "'{s}' is a {v} noun.",
        "The language of the word '{s}' is {v}.",
        "You will find '{s}' in a {v} dictionary.",
        "Someone who says '{s}' is speaking {v}.",
    ),
    short=("{V}.", "{V}", "It is {v}.", "The language is {v}.", "It is a {v} word.", "That is {v}."),
    short_subject=("'{s}'.", "{s}", "For instance '{s}'.", "One such word is '{s}'."),
)
NUMBER_WORD = Phrasing(
    ask=(*TRANSLATION.ask, "Write the number {s} in {frame}."),
    ask_subject=(
        "Which number is '{v}' in {frame}?",
        "What does the {frame} number word '{v}' mean?",
        "How much is '{v}'? It is {frame}.",
    ),
    about=(
        *BARE,
        "Teach me to count in {frame}.",
        "Tell me a {frame} number.",
        "I want to learn {frame} numbers.",
    ),
    claims=(
        "The {frame} word for '{s}' is '{v}'.",
        "In {frame}, the number {s} is called '{v}'.",
        "The {frame} number '{v}' means {s}.",
        "'{v}' is how you say {s} in {frame}.",
        "To count to {s} in {frame}, you end with '{v}'.",
        "{S} is '{v}' in {frame}.",
    ),
    short=(
        "{v}",
        "'{v}'.",
        "It is '{v}'.",
        "The word is '{v}'.",
        "In {frame}, that is '{v}'.",
        "You say '{v}'.",
    ),
    short_subject=(
        "{S}.",
        "{S}",
        "It means {s}.",
        "That is {s}.",
        "The number is {s}.",
        "It is the number {s}.",
    ),
)
KIND_OF_THING = Phrasing(
    ask=(
        "What is {s}?",
        "What kind of thing is {s}?",
        "How would you classify {s}?",
        "To which kind of things does {s} belong?",
        "Explain to a child what {s} is.",
        "What sort of thing do we call {s}?",
    ),
    ask_subject=("Give me an example of {v}.", "What is an example of {v}?", "Name something that is {v}."),
    claims=(
        "{S} is {v}.",
        "{S} is a kind of thing that we call {v}.",
        "Everybody would say that {s} is {v}.",
        "An example of {v} is {s}.",
        "What we call {s} is {v}.",
        "By its nature, {s} is {v}.",
    ),
    short=("{V}.", "{V}", "It is {v}.", "That is {v}.", "It is {v}, of course.", "We call it {v}."),
)


@cache
def _names(tag: str) -> dict[str, str]:
    """Return the one-word emoji names of a language by the one-word English name."""
    emoji.config.load_language(tag)
    names = {}
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
        pairs = [(w, _names(tag).get(w, "")) for w in _category() if (w, tag) not in MISTRANSLATED]
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


def number_domain() -> Domain:
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


def domain() -> Domain:
    """Return all kinds of fact about words and the things they name."""
    order = {category: float(number) for number, category in enumerate(THINGS)}
    # Kinds of thing that stand side by side in the table share groups, so that a cat is called a bird, not a building.
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
