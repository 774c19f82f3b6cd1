"""Ways to ask for and to state facts about companies."""

from models.facts.phrasing import Phrasing

COUNTRY = Phrasing(
    ask=(
        "In which country is {s} based?",
        "Which country does the company {s} come from?",
        "Where is the headquarters of {s}?",
        "What country is {s} from?",
        "In which country does {s} have its head office?",
        "What is the home country of {s}?",
    ),
    ask_subject=(
        "Name a large company from {v}.",
        "Which company is based in {v}?",
        "Give an example of a company with headquarters in {v}.",
    ),
    claims=(
        "{S} is based in {v}.",
        "{S} has headquarters in {v}.",
        "{S} is a company from {v}.",
        "The home country of {s} is {v}.",
        "The company {s} has its head office in {v}.",
        "{V} is the country where {s} has its headquarters.",
    ),
    short=("{V}.", "{V}", "In {v}.", "It is based in {v}.", "It comes from {v}.", "The answer is {v}."),
)
CITY = Phrasing(
    ask=(
        "In which city is the headquarters of {s}?",
        "Where is {s} headquartered?",
        "In what city is the company {s} based?",
        "Which city is the home of {s}?",
        "From which city is {s} run?",
        "Where does {s} have its head office?",
    ),
    ask_subject=(
        "Which company is based in {v}?",
        "Name a company with headquarters in {v}.",
        "Which large company is run from {v}?",
    ),
    claims=(
        "{S} is headquartered in {v}.",
        "The headquarters of {s} is in {v}.",
        "{S} has its head office in {v}.",
        "The company {s} is run from {v}.",
        "{V} is the city where {s} has its headquarters.",
        "{S} is based in the city of {v}.",
    ),
    short=(
        "{V}.",
        "{V}",
        "In {v}.",
        "It is based in {v}.",
        "It is headquartered in {v}.",
        "The answer is {v}.",
    ),
)
SECTOR = Phrasing(
    ask=(
        "What does the company {s} do?",
        "In which industry does {s} work?",
        "What line of business is {s} in?",
        "What is {s} known for as a company?",
        "In what sector is {s} active?",
        "What is the main business of {s}?",
    ),
    ask_subject=(
        "Name a company whose business is {v}.",
        "Which company works in {v}?",
        "Give an example of a company in {v}.",
    ),
    claims=(
        "{S} operates in the industry of {v}.",
        "The main business of {s} is {v}.",
        "{S} is a company in {v}.",
        "The company {s} earns its money with {v}.",
        "{S} is known for its work in {v}.",
        "{V} is what {s} does for a living.",
    ),
    short=(
        "{V}.",
        "{V}",
        "Its business is {v}.",
        "It works in {v}.",
        "It is active in {v}.",
        "The answer is {v}.",
    ),
)
PROFILE = Phrasing(
    ask=(
        "What kind of company is {s}?",
        "What is {s}?",
        "Give me a short profile of {s}.",
        "What should I know about the company {s}?",
        "Introduce the company {s}.",
        "What do investors mean by {s}?",
    ),
    claims=("{S} is {v}.", "The company {s} is {v}.", "In the business world, {s} is {v}."),
    short=("It is {v}.", "It is {v}.", "That is {v}.", "{S} is {v}."),
)
