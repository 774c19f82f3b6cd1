"""Ways to ask for and to state facts about words."""

from models.facts.phrasing import BARE, Phrasing

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
        "Teach me a word in {frame}.",
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
    ask_subject=("Give me a word of the {v} language.", "Tell me a word in {v}.", "Give me a noun in {v}."),
    about=(
        "Tell me something about the word '{s}'.",
        "What do you know about the word '{s}'?",
        "Explain the word '{s}'.",
    ),
    claims=(
        "The word '{s}' is {v}.",
        "'{s}' is a word of the {v} language.",
        "'{s}' is a noun in {v}.",
        "The language of the word '{s}' is {v}.",
        "You will find '{s}' in dictionaries of {v}.",
        "Someone who says '{s}' is speaking {v}.",
    ),
    short=("{V}.", "{V}", "It is {v}.", "The language is {v}.", "It is a word in {v}.", "That is {v}."),
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
        "Tell me a number in {frame}.",
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
