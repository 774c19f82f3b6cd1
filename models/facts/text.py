"""Small matters of English: capitals, articles, stops, round numbers."""


def capitalised(text: str) -> str:
    """Return the text with its first letter in upper case and the rest as it is."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Mend what filling a template breaks: a stop after an abbreviation's own stop."""
    return text.replace("..", ".").replace(".?", "?").replace("D.C?", "D.C.?")


def with_article(noun: str) -> str:
    """Put "a" or "an" before a noun."""
    return f"an {noun}" if noun[0].lower() in "aeiou" and not noun.startswith("uni") else f"a {noun}"


def about(number: float) -> str:
    """Write a large number the way people say it, to two digits.

    Parameters
    ----------
    number : float
        A number of at least 1,000.

    Returns
    -------
    str
        For instance "67 million" or "550,000".
    """
    digits = len(str(int(number))) - 2
    rounded = round(number / 10**digits) * 10**digits
    if rounded >= 1_000_000:
        return f"{rounded / 1_000_000:.1f}".removesuffix(".0") + " million"
    return f"{rounded:,}"
