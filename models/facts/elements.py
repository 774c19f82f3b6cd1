"""Facts about chemical elements: symbol, number, family, discoverer, origin of the name."""

import re
from functools import cache

from mendeleev.fetch import fetch_table

from models.facts.phrasing import Phrasing
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
UNSURE_DISCOVERIES = {"Platinum", "Radon", "Strontium", "Holmium", "Vanadium", "Molybdenum", "Silicon", "Erbium", "Terbium",
    "Ytterbium", "Gadolinium", "Zirconium", "Cerium", "Magnesium", "Calcium", "Barium", "Chlorine", "Lutetium", "Neodymium",
    "Manganese", "Titanium", "Samarium", "Palladium", "Rhodium", "Aluminum"}  # fmt: skip
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


@cache
def _rows() -> list[dict[str, object]]:
    """Return the elements, lightest first."""
    table = fetch_table("elements").sort_values("atomic_number")
    return list(table[table.atomic_number <= HEAVIEST].to_dict("records"))


def _asides(row: dict[str, object], number: bool = True) -> tuple[str, ...]:
    """Return true sentences about an element."""
    name = str(row["name"])
    sentences = (f"{name} is in period {row['period']} of the periodic table.",)
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
    entities = tuple(
        Entity(str(r["name"]), str(r["series_id"]), float(str(r["atomic_number"]))) for r in _rows()
    )
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
