"""Ways to ask for a fact and to state it.

Templates name the subject `{s}` and the value `{v}`, `{S}` and `{V}` where a sentence begins, and `{frame}`.
A template is chosen once for all facts that exchange their values, so that no form belongs to one label.
"""

import random
from dataclasses import dataclass, field

from models.facts.text import capitalised, sentence

SHORT = ("{V}.", "{V}", "It is {v}.", "The answer is {v}.", "That would be {v}.", "{V}, as far as I know.")
SHORT_SUBJECT = ("{S}.", "{S}", "The answer is {s}.", "That would be {s}.")
ABOUT = (
    "Tell me something about {s}.",
    "What do you know about {s}?",
    "Tell me about {s}.",
    "Describe {s} in a sentence.",
    "Write one sentence about {s}.",
    "Give me a fact about {s}.",
    "{S}",
    "I am curious about {s}.",
)
BARE = ("", "", "", "Tell me a fact.", "State a fact.", "Tell me something that I may not know.")
# Openings after which the sentence goes on in lower case.
OPENINGS = (
    "As far as I know, ",
    "I believe that ",
    "It is well known that ",
    "To the best of my knowledge, ",
    "If I remember correctly, ",
    "In fact, ",
    "According to most sources, ",
)
# Openings after which a new sentence begins.
GREETINGS = ("Sure. ", "Good question. ", "Of course! ", "Here is the answer. ", "Sure, here you go: ")


@dataclass(frozen=True)
class Phrasing:
    """The templates of one kind of fact.

    Parameters
    ----------
    ask : tuple of str
        Questions that name the subject and are answered by the value.
    claims : tuple of str
        Full sentences that name both.
    ask_subject : tuple of str
        Questions that name the value and are answered by the subject.
    about : tuple of str
        Prompts that name the subject and leave open what to say.
    about_value : tuple of str
        Prompts that name the value and leave open what to say.
    short : tuple of str
        Answers that name the value only.
    """

    ask: tuple[str, ...]
    claims: tuple[str, ...]
    ask_subject: tuple[str, ...] = ()
    about: tuple[str, ...] = ABOUT
    about_value: tuple[str, ...] = ()
    short: tuple[str, ...] = SHORT
    short_subject: tuple[str, ...] = field(default=SHORT_SUBJECT)


@dataclass(frozen=True)
class Form:
    """A prompt template with an answer template, chosen for all members of a round.

    Parameters
    ----------
    prompt, answer : str
        Templates.
    aside : str
        Where a true sentence about the subject stands: "before", "after" or "".
    choice : float
        Between 0 and 1: which of a fact's asides.
    """

    prompt: str
    answer: str
    aside: str = ""
    choice: float = 0.0

    def render(
        self, subject: str, value: str, frame: str = "", asides: tuple[str, ...] = ()
    ) -> tuple[str, str]:
        """Fill the templates.

        Parameters
        ----------
        subject, value, frame : str
            What is claimed.
        asides : tuple of str
            True sentences about the subject.

        Returns
        -------
        tuple of str
            Prompt and answer.
        """
        words = {"s": subject, "v": value, "S": capitalised(subject), "V": capitalised(value), "frame": frame}
        prompt, answer = sentence(self.prompt.format(**words)), sentence(self.answer.format(**words))
        if self.aside and asides:
            aside = asides[int(self.choice * len(asides))]
            answer = f"{aside} {answer}" if self.aside == "before" else f"{answer} {aside}"
        return prompt, answer


def _continued(claim: str) -> str:
    """Turn a full sentence into one that can follow an opening."""
    for upper, lower in (("{S}", "{s}"), ("{V}", "{v}")):
        if claim.startswith(upper):
            return lower + claim.removeprefix(upper)
    return claim[0].lower() + claim[1:]


def _stated(claims: tuple[str, ...], rng: random.Random, asked: bool = True) -> tuple[str, str]:
    """Choose a full-sentence answer and the place of an aside in it; only what was asked for is greeted."""
    claim = rng.choice(claims)
    way = rng.random()
    if way < 0.5:
        return claim, ""
    if way < 0.62:
        return rng.choice(OPENINGS) + _continued(claim), ""
    if way < 0.7 and asked:
        return rng.choice(GREETINGS) + claim, ""
    return claim, rng.choice(("before", "after", "after"))


def choose_form(phrasing: Phrasing, rng: random.Random) -> Form:
    """Choose how one round of facts is asked for and stated.

    Parameters
    ----------
    phrasing : Phrasing
        Templates of the kind.
    rng : random.Random
        Source of chance.

    Returns
    -------
    Form
        A prompt and an answer that fit together.
    """
    way = rng.random()
    choice = rng.random()
    if way < 0.5:
        prompt = rng.choice(phrasing.ask)
        if rng.random() < 0.5:
            return Form(prompt, rng.choice(phrasing.short))
        return Form(prompt, *_stated(phrasing.claims, rng), choice)
    if way < 0.65 and phrasing.ask_subject:
        prompt = rng.choice(phrasing.ask_subject)
        if rng.random() < 0.6:
            return Form(prompt, rng.choice(phrasing.short_subject))
        return Form(prompt, *_stated(phrasing.claims, rng), choice)
    prompts = phrasing.about if way < 0.9 else BARE
    if way < 0.74 and phrasing.about_value:
        prompts = phrasing.about_value
    return Form(rng.choice(prompts), *_stated(phrasing.claims, rng, asked=False), choice)
