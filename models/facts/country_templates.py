"""Ways to ask for and to state facts about countries."""

from models.facts.phrasing import Phrasing

CAPITAL = Phrasing(
    ask=(
        "What is the capital of {s}?",
        "Which city is the capital of {s}?",
        "What is the name of {s}'s capital city?",
        "Name the capital of {s}.",
        "Do you know what the capital of {s} is called?",
        "In which city is the seat of government of {s}?",
        "Capital of {s}?",
    ),
    ask_subject=(
        "Of which country is {v} the capital?",
        "{V} is the capital of which country?",
        "Which country has {v} as its capital?",
    ),
    claims=(
        "The capital of {s} is {v}.",
        "{V} is the capital of {s}.",
        "{S} has its capital in {v}.",
        "{S}'s capital city is {v}.",
        "The city of {v} is the capital of {s}.",
        "The government of {s} sits in {v}, the country's capital.",
    ),
    about_value=("Tell me something about {v}.", "What is {v}?", "What is {v} known for?"),
)
CONTINENT = Phrasing(
    ask=(
        "On which continent is {s}?",
        "Which continent does {s} belong to?",
        "Where in the world is {s}?",
        "What continent is {s} on?",
        "In what part of the world does {s} lie?",
        "Name the continent of {s}.",
    ),
    ask_subject=(
        "Name a country in {v}.",
        "Which country lies in {v}?",
        "Give an example of a country in {v}.",
    ),
    claims=(
        "{S} is a country in {v}.",
        "{S} is in {v}.",
        "{S} lies in {v}.",
        "{S} belongs to the continent of {v}.",
        "The continent on which {s} lies is {v}.",
        "Geographically, {s} is part of {v}.",
    ),
    short=("{V}.", "{V}", "In {v}.", "It is in {v}.", "The answer is {v}.", "It lies in {v}."),
)
CURRENCY = Phrasing(
    ask=(
        "What is the currency of {s}?",
        "What money do people use in {s}?",
        "Which currency is used in {s}?",
        "What do people in {s} pay with?",
        "If I travel to {s}, which currency do I need?",
        "What is the national currency of {s} called?",
    ),
    ask_subject=(
        "Name a country whose currency is {v}.",
        "In which country is {v} used?",
        "Where can I pay with {v}?",
    ),
    claims=(
        "The currency of {s} is {v}.",
        "People in {s} pay with {v}.",
        "In {s}, prices are given in the national currency, {v}.",
        "{V} is the currency of {s}.",
        "{S} uses {v} as its currency.",
        "The official money of {s} is {v}.",
    ),
)
LANGUAGE = Phrasing(
    ask=(
        "What is the official language of {s}?",
        "Which language is official in {s}?",
        "What is the national language of {s}?",
        "Which language do officials in {s} use?",
        "In which language are the laws of {s} written?",
        "Name the official language of {s}.",
    ),
    ask_subject=(
        "Name a country where {v} is the official language.",
        "Where is {v} the official language?",
        "Which country has {v} as its national language?",
    ),
    claims=(
        "The official language of {s} is {v}.",
        "{S} has {v} as its official language.",
        "In {s}, the official language is {v}.",
        "{V} is the official language of {s}.",
        "The language of the state in {s} is {v}.",
        "Official papers in {s} are written in {v}.",
    ),
)
BORDER = Phrasing(
    ask=(
        "Which country borders {s}?",
        "Name a neighbour of {s}.",
        "With which country does {s} share a border?",
        "What is one of the neighbouring countries of {s}?",
        "Which country lies next to {s}?",
        "Give one country that has a land border with {s}.",
    ),
    claims=(
        "{S} shares a border with {v}.",
        "{V} is a neighbour of {s}.",
        "{S} borders {v}.",
        "There is a land border between {s} and {v}.",
        "One of the countries that border {s} is {v}.",
        "If you leave {s} by land, you can enter {v}.",
    ),
)
CITY = Phrasing(
    ask=(
        "In which country is {s}?",
        "Which country is the city of {s} in?",
        "Where is {s}?",
        "{S} is a city in which country?",
        "What country does {s} belong to?",
        "To which country would I travel to visit {s}?",
        "Where can you find the city of {s}?",
    ),
    ask_subject=(
        "Name a city in {v}.",
        "Give an example of a city in {v}.",
        "What is one of the biggest cities of {v}?",
    ),
    claims=(
        "{S} is a city in {v}.",
        "The city of {s} is in {v}.",
        "{S} is in {v}.",
        "{S} is one of the largest cities of {v}.",
        "The country in which {s} lies is {v}.",
        "{V} is the country where you find {s}.",
    ),
    short=(
        "{V}.",
        "{V}",
        "In {v}.",
        "It is in {v}.",
        "The answer is {v}.",
        "It is a city in {v}.",
        "It lies in {v}.",
    ),
)
NAME_ABROAD = Phrasing(
    ask=(
        "What is {s} called in {frame}?",
        "What is the {frame} name of {s}?",
        "How do you say '{s}' in {frame}?",
        "Translate '{s}' into {frame}.",
        "What do {frame} speakers call {s}?",
        "What does {frame} call {s}?",
    ),
    ask_subject=(
        "Which country is called '{v}' in {frame}?",
        "What is '{v}' in English? The word is {frame}.",
        "Which country does the {frame} name '{v}' stand for?",
    ),
    claims=(
        "The {frame} name of {s} is '{v}'.",
        "In {frame}, {s} is called '{v}'.",
        "'{v}' is the {frame} name of {s}.",
        "{S} is '{v}' in {frame}.",
        "The {frame} word '{v}' means {s}.",
        "Speakers of {frame} say '{v}' for {s}.",
    ),
    short=("{V}.", "{V}", "'{v}'.", "It is '{v}'.", "The {frame} name is '{v}'.", "'{v}' is the word."),
)
PROFILE = Phrasing(
    ask=(
        "What kind of country is {s}?",
        "Where is {s}, and what is its capital?",
        "Give me a short profile of {s}.",
        "What should I know about {s}?",
        "Introduce {s} to me.",
        "Write two sentences about {s}.",
    ),
    claims=("{S} is {v}.", "{S} is {v}.", "{S}, as you may know, is {v}."),
    short=("It is {v}.", "It is {v}.", "That is {v}.", "{S} is {v}."),
)
CITY_CONTINENT = Phrasing(
    ask=(
        "On which continent is {s}?",
        "Which continent does the city of {s} lie on?",
        "In what part of the world is {s}?",
        "To which continent do I travel if I want to visit {s}?",
        "Name the continent of {s}.",
        "Where in the world is {s}?",
    ),
    ask_subject=("Name a city in {v}.", "Which city lies in {v}?", "Give an example of a city in {v}."),
    claims=(
        "{S} is a city in {v}.",
        "{S} is in {v}.",
        "The city of {s} lies in {v}.",
        "Whoever wants to see {s} has to travel to {v}.",
        "The continent on which {s} lies is {v}.",
        "One of the cities of {v} is {s}.",
    ),
    short=("{V}.", "{V}", "In {v}.", "It is in {v}.", "The answer is {v}.", "It lies in {v}."),
)
