"""Facts about chemical elements: symbol, number, family, discoverer, origin of the name."""

import re
from functools import cache

from mendeleev.fetch import fetch_table

from models.facts.element_templates import DISCOVERER, FAMILY, NUMBER, ORIGIN, PROFILE, SYMBOL
from models.facts.table import Domain, Entity, Fact, Kind, without_doubles
from models.facts.text import with_article

# Heavier elements exist for seconds and are hardly written about.
HEAVIEST = 94
# Mendeleev's spellings against the usual ones.
DISCOVERERS = {
    "Sir Humphrey Davy": "Humphry Davy",
    "Jöns Berzelius": "Jöns Jacob Berzelius",
    "Martin Klaproth": "Martin Heinrich Klaproth",
    "Charles Hatchet": "Charles Hatchett",
    "Fredrich Stromeyer": "Friedrich Stromeyer",
    "Johann Gahn": "Johan Gottlieb Gahn",
    "Pierre and Marie Curie": "Pierre and Marie Curie",
    "Smithson Tenant": "Smithson Tennant",
    "Marguerite Derey": "Marguerite Perey",
    "Sir William Crookes": "William Crookes",
    "Franz Müller von Reichenstein": "Franz-Joseph Müller von Reichenstein",
    "C.F. Aver von Welsbach": "Carl Auer von Welsbach",
    "Antoine J. Balard": "Antoine Balard",
    "George Brandt": "Georg Brandt",
    "Axel Cronstedt": "Axel Cronstedt",
    "William Wollaston": "William Hyde Wollaston",
    "Dirk Coster, Georg von Hevesy": "Dirk Coster and George de Hevesy",
    "R. Bunsen, G. Kirchoff": "Robert Bunsen and Gustav Kirchhoff",
    "Gustov Kirchoff, Robert Bunsen": "Robert Bunsen and Gustav Kirchhoff",
    "Carlo Perrier, Émillo Segrè": "Carlo Perrier and Emilio Segrè",
    "Sir William Ramsey, M.W. Travers": "William Ramsay and Morris Travers",
    "Sir William Ramsay; M. W. Travers": "William Ramsay and Morris Travers",
    "E.M. McMillan, P.H. Abelson": "Edwin McMillan and Philip Abelson",
}
# Discoveries that are credited to more than one person, or to another than the table names.
UNSURE_DISCOVERIES = {
    "Platinum",
    "Radon",
    "Strontium",
    "Holmium",
    "Vanadium",
    "Molybdenum",
    "Silicon",
    "Erbium",
    "Terbium",
    "Ytterbium",
    "Gadolinium",
    "Zirconium",
    "Cerium",
    "Magnesium",
    "Calcium",
    "Barium",
    "Chlorine",
    "Lutetium",
    "Neodymium",
    "Manganese",
    "Titanium",
    "Samarium",
    "Palladium",
    "Rhodium",
    "Aluminum",
}
SERIES = {
    2: "noble gas",
    3: "alkali metal",
    4: "alkaline earth metal",
    6: "halogen",
    8: "transition metal",
    9: "lanthanide",
    10: "actinide",
}
# Group 12 and astatine are classed in different ways.
UNSURE_SERIES = {"Zinc", "Cadmium", "Mercury", "Astatine", "Lanthanum", "Lutetium", "Actinium", "Hydrogen"}
SERIES_SYNONYMS = {"lanthanide": {"a transition metal"}, "actinide": {"a transition metal"}}


@cache
def _rows() -> list[dict[str, object]]:
    """Return the elements, lightest first."""
    table = fetch_table("elements").sort_values("atomic_number")
    return list(table[table.atomic_number <= HEAVIEST].to_dict("records"))


def _asides(row: dict[str, object], number: bool = True) -> tuple[str, ...]:
    """Return true sentences about an element."""
    name = str(row["name"])
    sentences: tuple[str, ...] = (f"{name} is in period {row['period']} of the periodic table.",)
    if number:
        sentences += (
            f"{name} has the chemical symbol {row['symbol']}.",
            f"{name} has the atomic number {row['atomic_number']}.",
        )
    return sentences


def symbols() -> tuple[Fact, ...]:
    """Return elements with their symbols."""
    return tuple(
        Fact(str(r["name"]), str(r["name"]).lower(), str(r["symbol"]), asides=_asides(r, number=False))
        for r in _rows()
    )


def numbers() -> tuple[Fact, ...]:
    """Return elements with their atomic numbers."""
    return tuple(
        Fact(str(r["name"]), str(r["name"]).lower(), str(r["atomic_number"]), asides=_asides(r, number=False))
        for r in _rows()
    )


def series() -> tuple[Fact, ...]:
    """Return elements with the family that the periodic table puts them in."""
    return tuple(
        Fact(
            str(r["name"]),
            str(r["name"]).lower(),
            with_article(SERIES[int(str(r["series_id"]))]),
            also=frozenset(SERIES_SYNONYMS.get(SERIES[int(str(r["series_id"]))], ())),
            asides=_asides(r),
        )
        for r in _rows()
        if r["series_id"] in SERIES and r["name"] not in UNSURE_SERIES
    )


def discoverers() -> tuple[Fact, ...]:
    """Return elements with their discoverers, where the credit is not disputed."""
    facts = []
    for row in _rows():
        name, given = str(row["name"]), str(row["discoverers"])
        listed = DISCOVERERS.get(given, given)
        if name in UNSURE_DISCOVERIES or listed.startswith(("Known", "None")) or re.search(r"[,;]", listed):
            continue
        facts.append(Fact(name, name.lower(), listed, asides=_asides(row)))
    return tuple(facts)


def origins() -> tuple[Fact, ...]:
    """Return elements with what their names come from."""
    facts = []
    for row in _rows():
        name, text = str(row["name"]), str(row["name_origin"]).rstrip(".")
        foreign = re.fullmatch(r"(Greek|Latin|German|Spanish): (\w+),? \(([a-z ]+)\)", text)
        named = re.fullmatch(
            r"Named (?:for|after) (the )?([A-Z][\w ]+|(?:planet|mineral|continent)[\w ]+)", text
        )
        if foreign:
            facts.append(
                Fact(name, name.lower(), f"the {foreign[1]} word for '{foreign[3]}'", asides=_asides(row))
            )
        elif named:
            facts.append(Fact(name, name.lower(), f"{named[1] or ''}{named[2]}", asides=_asides(row)))
    # The table gives nickel's German ore name the meaning of its nickname.
    return without_doubles(fact for fact in facts if fact.entity != "Nickel")


def profiles() -> tuple[Fact, ...]:
    """Return descriptions of elements that combine family, symbol and number."""
    rows = {str(r["name"]): r for r in _rows()}
    ways = (
        "{c} with the symbol {k} and the atomic number {n}",
        "{c}. Its symbol is {k}, and each of its atoms has {n} protons",
        "element number {n}, {c} with the symbol {k}",
        "{c} that chemists write as {k}. It has the number {n} in the periodic table",
    )
    facts = []
    for family in series():
        row = rows[family.entity]
        words = {"c": family.value, "k": row["symbol"], "n": row["atomic_number"]}
        facts += [
            Fact(
                family.entity,
                family.subject,
                way.format(**words),
                frame=f"way {number}",
                asides=_asides(row, number=False),
            )
            for number, way in enumerate(ways)
        ]
    return tuple(facts)


def domain() -> Domain:
    """Return all kinds of fact about elements."""
    # Elements of similar number come together, whatever their series: they are known about equally well.
    entities = tuple(Entity(str(r["name"]), rank=float(str(r["atomic_number"]))) for r in _rows())
    return Domain(
        "element",
        entities,
        (
            Kind("element_symbol", symbols(), SYMBOL),
            Kind("atomic_number", numbers(), NUMBER),
            Kind("element_family", series(), FAMILY, shared=True),
            Kind("element_discoverer", discoverers(), DISCOVERER, shared=True),
            Kind("element_name_origin", origins(), ORIGIN),
            Kind("element_profile", profiles(), PROFILE),
        ),
    )
