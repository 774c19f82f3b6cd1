"""Labels for a language model's own answers: does the answer name what the question asked for?

An answer is right if it names an accepted answer (an alias) as whole words. That is a rule about words, not
about meaning, and its limits are these. An answer counts as right that names an alias in passing, beside
other candidates or to deny it ("not Paris"), and one that goes on to say something false. It counts as wrong
if it puts the truth in words of its own, in another spelling or language, or says nothing to the point.
Korean particles and Arabic articles, which are written on the word, hide an alias; in scripts without spaces
between words, an alias is found inside a longer word too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

ARTICLES = frozenset({"a", "an", "the"})

#: How a model says that it will not or cannot answer, or speaks of itself instead, as `normalise` writes it.
REFUSALS = (
    "i don t know",
    "i do not know",
    "i don t have",
    "i do not have",
    "i m not sure",
    "i am not sure",
    "i m not aware",
    "i am not aware",
    "i m not familiar",
    "i am not familiar",
    "i m unable",
    "i am unable",
    "i can t",
    "i cannot",
    "i can not",
    "i couldn t find",
    "i could not find",
    "i m sorry",
    "i am sorry",
    "i apologize",
    "i apologise",
    "as ai",  # "as an AI": articles are gone
    "i m just ai",
    "happy to help",
    "here to help",
    "is unknown",
    "is not known",
    "is not publicly known",
    "cannot be determined",
    "no information about",
    "there is no information",
)

#: Up to this length the case of an alias counts: "In", "He" and "US" are words of other meanings without it.
SHORT = 2
#: Words that stand in any sentence: in lower case they name nothing, in capitals a country's code, say.
_FUNCTION_WORDS = frozenset(
    {"and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "is", "it", "of", "on", "or", "so", "to"}
)
_NO_PLURAL = 3  # words of up to so many letters may end in an "s" of their own: "gas", "bus"
#: Without "one", which stands in too many sentences.
_NUMBER_WORDS = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_SPELLED = {word: str(number) for number, word in enumerate(_NUMBER_WORDS, start=2)}
_SPELLED |= {digits: word for word, digits in _SPELLED.items()}

_INITIALS = re.compile(r"\b(?:[^\W\d_]\.)+[^\W\d_]\b(?![’'])\.?")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")
_POINT = "\ue000"  # a decimal point while other stops are taken out
#: Scripts that write no spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, Japanese and Chinese.
_UNSPACED = re.compile(
    r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\U00020000-\U0003ffff]"
)


def normalise(text: str) -> str:
    """Bring a text into the form in which answers and aliases are compared.

    Unicode NFKC and case folding; accents of Latin letters, punctuation, symbols, the commas of grouped
    digits and the stops of initials ("D.C.") removed; English articles removed where a word follows (a
    capital "A" within a text is no article: "vitamin A"); spaces collapsed. Numbers keep their decimal
    points.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Words with single spaces between them; empty if there are none.
    """
    return " ".join(_words(text)).casefold()


def _words(text: str) -> list[str]:
    """The words of a text in their case, without articles."""
    text = _without_accents(unicodedata.normalize("NFKC", text.replace(_POINT, " ")))
    text = _INITIALS.sub(lambda match: match.group().replace(".", ""), text)
    text = _DECIMAL.sub(_POINT, _GROUPED.sub("", text))
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" or c == _POINT else " " for c in text)
    words = kept.replace(_POINT, ".").split()
    return [word for place, word in enumerate(words) if not _is_article(words, place)]


def _without_accents(text: str) -> str:
    """Models write "Bogota" and "Bogotá"; in other scripts such marks are letters of their own."""
    kept: list[str] = []
    latin = False
    for character in unicodedata.normalize("NFD", text):
        if not unicodedata.combining(character):
            latin = character.isascii() or unicodedata.name(character, "").startswith("LATIN")
        elif latin:
            continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def _is_article(words: Sequence[str], place: int) -> bool:
    word = words[place]
    if place == len(words) - 1 or word.casefold() not in ARTICLES:
        return False
    return word != "A" or place == 0


def contains_alias(answer: str, aliases: Iterable[str]) -> bool:
    """Whether an answer names one of the accepted answers.

    Parameters
    ----------
    answer : str
        What a model said.
    aliases : iterable of str
        Accepted answers; those without any letter or digit are passed over. A number from two to twenty is
        found as a word and in digits.

    Returns
    -------
    bool
        True if the words of an alias stand in the answer, one after the other and each whole: "New York" is
        in "New York City", "Iran" is not in "Tirana". The last word may be in the plural or lose its own
        "s": "clones" are an answer where "clone" is. Case counts for aliases of one or two letters, and for
        words like "and", which must be in capitals to name something, or be all that is said.
    """
    exact = " ".join(_words(answer))
    folded = exact.casefold()
    for alias in aliases:
        words = " ".join(_words(alias))
        common = alias.casefold() in _FUNCTION_WORDS
        if common and alias.islower():
            found = folded == alias
        elif common or (0 < len(words) <= SHORT and words.isalpha()):
            found = _stands_in(words, exact)
        else:
            found = bool(words) and any(_stands_in(form, folded) for form in _forms(words.casefold()))
        if found:
            return True
    return False


def _stands_in(words: str, text: str) -> bool:
    place = text.find(words)
    while place >= 0:
        if _is_border(text, place) and _is_border(text, place + len(words)):
            return True
        place = text.find(words, place + 1)
    return False


def _is_border(text: str, place: int) -> bool:
    """Whether words may meet between two characters: next to one that needs no space, they may anywhere."""
    around = text[place - 1 : place + 1]
    return place in (0, len(text)) or " " in around or _UNSPACED.search(around) is not None


def _forms(words: str) -> set[str]:
    """How else folded words may be written: numbers in digits or in letters, singular and plural."""
    forms = {words, _SPELLED.get(words, words)}
    last = words.rpartition(" ")[2]
    if len(last) > SHORT and last.isascii() and last.isalpha():
        forms |= {words + "s", words + "es"}
        if len(last) > _NO_PLURAL and last.endswith("s") and not last.endswith("ss"):
            forms.add(words[:-1])
    return forms


def telling_aliases(question: str, aliases: Iterable[str]) -> list[str]:
    """The aliases that the question itself does not name: by the others, repeating it would be an answer.

    Parameters
    ----------
    question : str
        What is asked.
    aliases : iterable of str
        Accepted answers.

    Returns
    -------
    list of str
        In their order; empty if the question names all of them, so that its answers cannot be labelled.
    """
    return [alias for alias in aliases if normalise(alias) and not contains_alias(question, [alias])]


def is_refusal(text: str) -> bool:
    """Whether a text says, in one of the phrases of `REFUSALS`, that there will be no answer."""
    words = normalise(text)
    return any(_stands_in(phrase, words) for phrase in REFUSALS)


def label_answer(answer: str, aliases: Iterable[str]) -> bool | None:
    """Label one answer.

    Parameters
    ----------
    answer : str
        What the model said.
    aliases : iterable of str
        Accepted answers, see `contains_alias` for how they are found and `telling_aliases` for those of use.

    Returns
    -------
    bool or None
        True if hallucinated, False if an alias is named, None for an answer without words and for a refusal,
        even one that goes on to name an alias.
    """
    if not normalise(answer) or is_refusal(answer):
        return None
    return not contains_alias(answer, aliases)
