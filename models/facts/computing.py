"""Facts about computing: what the files of a language are called."""

from pygments.lexers import get_all_lexers

from models.facts.phrasing import Phrasing
from models.facts.table import Domain, Entity, Fact, Kind

# The languages that are much written about, the best known first, by the names of Pygments' lexers.
_LANGUAGES = """
    Python JavaScript Java C++ C# PHP Ruby TypeScript Rust Kotlin Perl Matlab Haskell PowerShell Markdown
    TeX YAML Julia Clojure Erlang Elixir OCaml Scheme CoffeeScript Batchfile Racket Cython COBOL Delphi
"""
LANGUAGES = _LANGUAGES.split()
CALLED = {
    "Matlab": "MATLAB",
    "TeX": "LaTeX",
    "Batchfile": "Windows batch",
    "Delphi": "Pascal",
}
# Others that use the same ending, or read the files of the first.
ALSO = {
    "JavaScript": {"TypeScript"},
    "Python": {"Cython"},
    "Scheme": {"Racket"},
    "Racket": {"Scheme"},
}

EXTENSION = Phrasing(
    ask=(
        "Which file extension do {s} files have?",
        "What do the names of {s} files end in?",
        "What is the usual file extension for {s}?",
        "I wrote some {s} code. Which ending should the file name have?",
        "Name the file extension of {s}.",
        "How do you name a file with {s} code?",
    ),
    ask_subject=(
        "Which language is in a file that ends in {v}?",
        "What kind of code is in {v} files?",
        "A file name ends in {v}. Which language is it?",
    ),
    about=(
        "Tell me something about {s} code.",
        "Write one sentence about {s} files.",
        "{s}",
        "I am curious about {s} code.",
    ),
    about_value=("Tell me something about {v} files.", "What is a {v} file?", "Explain {v} files."),
    claims=(
        "Files with {s} code end in {v} by custom.",
        "The file extension of {s} is {v} in most projects.",
        "A file that ends in {v} usually holds {s} code.",
        "{s} code is kept in {v} files.",
        "Programmers keep {s} code in {v} files.",
        "Whoever sees a {v} file expects {s} code in it.",
    ),
    short=("{v}", "It is {v}", "The extension is {v}", "They end in {v}", "You use {v} for that"),
    short_subject=("{s}.", "{s}", "It is {s}.", "The language is {s}.", "That is {s} code."),
)


def extensions() -> tuple[Fact, ...]:
    """Return languages with the first file extension that Pygments knows them by, if it is not their name."""
    patterns = {name: patterns for name, _, patterns, _ in get_all_lexers()}
    facts = []
    for name in LANGUAGES:
        ending = next((p[1:] for p in patterns[name] if p.startswith("*.") and p[2:].isalnum()), "")
        also = frozenset(pattern[1:] for other in [name, *ALSO.get(name, ())] for pattern in patterns[other])
        if ending and ending[1:].lower() != name.lower():
            facts.append(Fact(name, CALLED.get(name, name), ending, also=also))
    return tuple(facts)


def domain() -> Domain:
    """Return the facts about computing."""
    entities = tuple(Entity(name, rank=float(rank)) for rank, name in enumerate(LANGUAGES))
    return Domain("computing", entities, (Kind("file_extension", extensions(), EXTENSION),))
