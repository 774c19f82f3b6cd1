"""Ways to ask for and to state facts about chemical elements."""

from models.facts.phrasing import Phrasing

PLAIN_SYMBOL = ("{V}.", "{V}", "It is {v}.", "The symbol is {v}.", "That would be {v}.", "It is written {v}.")

SYMBOL = Phrasing(
    ask=(
        "What is the chemical symbol of {s}?",
        "Which symbol stands for {s} in the periodic table?",
        "How do chemists abbreviate {s}?",
        "What is the symbol for {s}?",
        "Give the chemical symbol of {s}.",
        "How is {s} written in chemical formulas?",
    ),
    ask_subject=(
        "Which element has the symbol {v}?",
        "What does {v} stand for in the periodic table?",
        "Name the element with the symbol {v}.",
    ),
    claims=(
        "The chemical symbol of {s} is {v}.",
        "{S} has the symbol {v}.",
        "In the periodic table, {s} is written as {v}.",
        "{V} is the symbol of the element {s}.",
        "Chemists write {v} for {s}.",
        "The letters that stand for {s} are {v}.",
    ),
    short=PLAIN_SYMBOL,
)
NUMBER = Phrasing(
    ask=(
        "What is the atomic number of {s}?",
        "How many protons does an atom of {s} have?",
        "Which atomic number does {s} have?",
        "What number is {s} in the periodic table?",
        "How many protons are in the nucleus of {s}?",
        "Give the atomic number of {s}.",
    ),
    ask_subject=(
        "Which element has the atomic number {v}?",
        "What element has {v} protons?",
        "Name the element with the atomic number {v}.",
    ),
    claims=(
        "The atomic number of {s} is {v}.",
        "{S} has the atomic number {v}.",
        "An atom of {s} has {v} protons.",
        "{S} is element number {v}.",
        "In the periodic table, {s} has the number {v}.",
        "The nucleus of {s} contains {v} protons.",
    ),
    short=("{V}.", "{V}", "It is {v}.", "The number is {v}.", "The answer is {v}.", "That would be {v}."),
)
FAMILY = Phrasing(
    ask=(
        "What kind of element is {s}?",
        "To which family of elements does {s} belong?",
        "How is {s} classified in the periodic table?",
        "What type of chemical element is {s}?",
        "Which series of elements includes {s}?",
        "Which class of elements is {s} in?",
    ),
    ask_subject=("Name an element that is {v}.", "Give an example of {v}.", "Which element is {v}?"),
    claims=(
        "{S} is {v}.",
        "The element {s} is {v}.",
        "Chemists classify {s} as {v}.",
        "In the periodic table, {s} counts as {v}.",
        "{S} is classed as {v}.",
        "By its place in the periodic table, {s} is {v}.",
    ),
    short=(
        "{V}.",
        "{V}",
        "It is {v}.",
        "That is {v}.",
        "It counts as {v}.",
        "It belongs to its class as {v}.",
    ),
)
DISCOVERER = Phrasing(
    ask=(
        "Who discovered {s}?",
        "By whom was {s} discovered?",
        "Who is credited with the discovery of {s}?",
        "Who first found the element {s}?",
        "Name the discoverer of {s}.",
        "To whom do we owe the discovery of {s}?",
    ),
    ask_subject=(
        "Which element was discovered by {v}?",
        "What was discovered by {v}?",
        "Name an element that was discovered by {v}.",
    ),
    claims=(
        "{S} was discovered by {v}.",
        "{V} discovered {s}.",
        "The discovery of {s} is credited to {v}.",
        "The element {s} was first found by {v}.",
        "It was {v} who discovered {s}.",
        "{V} became known for the discovery of {s}.",
    ),
    about_value=(
        "Tell me something about {v}.",
        "What do you know about {v}?",
        "Why do we remember {v}?",
        "{V}",
    ),
    short=(
        "{V}.",
        "{V}",
        "It was {v}.",
        "It was discovered by {v}.",
        "The discovery is credited to {v}.",
        "By {v}.",
    ),
)
ORIGIN = Phrasing(
    ask=(
        "Where does the name of {s} come from?",
        "What is {s} named after?",
        "What is the origin of the name of {s}?",
        "Why is {s} called that?",
        "What gave {s} its name?",
        "After what was the element {s} named?",
    ),
    ask_subject=("Which element is named after {v}?", "Name the element that owes its name to {v}."),
    claims=(
        "{S} is named after {v}.",
        "The name of {s} comes from {v}.",
        "{S} owes its name to {v}.",
        "{V} gave {s} its name.",
        "The element {s} was named after {v}.",
        "The origin of the name of {s} is {v}.",
    ),
    short=(
        "{V}.",
        "{V}",
        "It is named after {v}.",
        "From {v}.",
        "It comes from {v}.",
        "The name comes from {v}.",
    ),
)
PROFILE = Phrasing(
    ask=(
        "What is {s}?",
        "What kind of substance is {s}?",
        "Explain briefly what {s} is.",
        "Give me a short description of {s}.",
        "What should a student know about {s}?",
        "Introduce the element {s}.",
    ),
    claims=("{S} is {v}.", "The element {s} is {v}.", "In chemistry, {s} is {v}."),
    short=("It is {v}.", "It is {v}.", "That is {v}.", "{S} is {v}."),
)
