"""Facts about units of measurement: what they measure."""

import pint

from models.facts.phrasing import Phrasing
from models.facts.table import Domain, Entity, Fact, Kind
from models.facts.text import with_article

# What Pint's dimensions are called, each with a unit of that dimension.
QUANTITIES = {
    "length": "meter",
    "mass": "gram",
    "time": "second",
    "electric current": "ampere",
    "temperature": "kelvin",
    "force": "newton",
    "energy": "joule",
    "power": "watt",
    "pressure": "pascal",
    "volume": "liter",
    "area": "acre",
    "speed": "knot",
    "electric charge": "coulomb",
    "voltage": "volt",
    "electrical resistance": "ohm",
    "electrical capacitance": "farad",
    "inductance": "henry",
    "magnetic flux": "weber",
    "magnetic flux density": "tesla",
    "frequency": "hertz",
}
UNITS = [
    "meter",
    "kilometer",
    "centimeter",
    "millimeter",
    "inch",
    "foot",
    "yard",
    "mile",
    "furlong",
    "fathom",
    "light_year",
    "parsec",
    "angstrom",
    "nautical_mile",
    "league",
    "gram",
    "kilogram",
    "pound",
    "ounce",
    "stone",
    "carat",
    "milligram",
    "metric_ton",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "fortnight",
    "year",
    "century",
    "millennium",
    "ampere",
    "kelvin",
    "newton",
    "dyne",
    "joule",
    "calorie",
    "kilowatt_hour",
    "erg",
    "electron_volt",
    "watt",
    "kilowatt",
    "megawatt",
    "horsepower",
    "pascal",
    "bar",
    "torr",
    "atmosphere",
    "psi",
    "hectopascal",
    "liter",
    "milliliter",
    "gallon",
    "pint",
    "quart",
    "bushel",
    "acre",
    "hectare",
    "barn",
    "knot",
    "mile_per_hour",
    "coulomb",
    "volt",
    "millivolt",
    "kilovolt",
    "ohm",
    "megaohm",
    "farad",
    "microfarad",
    "henry",
    "weber",
    "tesla",
    "gauss",
    "hertz",
    "kilohertz",
    "megahertz",
    "gigahertz",
]
# Words that also mean something else, so that a sentence without context is not plainly false.
SECOND_MEANING = {
    "pound": {"force"},
    "bar": {"length"},
    "kilowatt_hour": {"power"},
    "light_year": {"time"},
    "ounce": {"volume"},
    "mile_per_hour": {"length"},
    "knot": {"length"},
}

MEASURES = Phrasing(
    ask=(
        "What does {s} measure?",
        "What do people measure with {s}?",
        "Which physical quantity is {s} a unit of?",
        "What is {s} a unit of?",
        "For what kind of quantity do people use {s}?",
        "What can be expressed with {s} as the unit?",
    ),
    ask_subject=(
        "Name a unit of {v}.",
        "In which unit can {v} be measured?",
        "Give an example of a unit of {v}.",
    ),
    claims=(
        "{S} is a unit of {v}.",
        "{S} measures {v}.",
        "In physics, {s} is a unit of {v}.",
        "{V} can be measured with {s}.",
        "An example of a unit of {v} is {s}.",
        "The quantity that belongs to {s} is {v}.",
    ),
    short=(
        "{V}.",
        "{V}",
        "It measures {v}.",
        "It is a unit of {v}.",
        "The quantity is {v}.",
        "That is a unit of {v}.",
    ),
)


def measured() -> tuple[Fact, ...]:
    """Return units with the quantity that they measure."""
    registry = pint.UnitRegistry()
    quantities = {registry.Unit(unit).dimensionality: name for name, unit in QUANTITIES.items()}
    facts = []
    for unit in UNITS:
        quantity = quantities.get(registry.Unit(unit).dimensionality)
        if quantity is not None:
            name = unit.replace("_", " ")
            # The letter h is silent in hour and heard in the other units.
            subject = "an hour" if unit == "hour" else with_article(name)
            also = frozenset(SECOND_MEANING.get(unit, ()))
            facts.append(Fact(unit, subject, quantity, also=also))
    return tuple(facts)


def domain() -> Domain:
    """Return the facts about units."""
    facts = measured()
    entities = tuple(Entity(fact.entity, fact.value) for fact in facts)
    return Domain("unit", entities, (Kind("unit_quantity", facts, MEASURES, shared=True),))
