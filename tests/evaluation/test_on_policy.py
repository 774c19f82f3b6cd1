import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halluscope.evaluation.on_policy import (
    REFUSALS,
    contains_alias,
    is_refusal,
    label_answer,
    normalise,
    telling_aliases,
)

#: Words of scripts that put spaces between them.
SPACED = st.text(st.sampled_from("abcxyzßéÅłжёйαωςשلمहिதি0123"), min_size=3, max_size=8)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Capital is PARIS!", "capital is paris"),
        ("A cat, an owl and the dog.", "cat owl and dog"),
        ("vitamin A", "vitamin a"),
        ("Vitamin A is one.", "vitamin a is one"),
        ("the", "the"),
        ("in 1,234,567 years", "in 1234567 years"),
        ("3.14, then 2.", "3.14 then 2"),
        ("1,2 and 3", "1 2 and 3"),
        ("Washington, D.C.", "washington dc"),
        ("Washington, D.C", "washington dc"),
        ("J.R.R. Tolkien", "jrr tolkien"),
        ("the U.S. army", "us army"),
        ("France's", "france s"),
        ("São Paulo, Bogotá", "sao paulo bogota"),
        ("ＦＵＬＬ　ｗｉｄｔｈ ①", "full width 1"),
        ("Straße", "strasse"),
        ("!?—", ""),
        ("", ""),
        ("हिन्दी।", "हिन्दी"),
        ("Чайковский й", "чайковский й"),
    ],
)
def test_normal_form(text, normal):
    assert normalise(text) == normal


@given(st.text(max_size=40))
def test_normal_form_of_anything(text):
    normal = normalise(text)
    assert normal == " ".join(normal.split())
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))
    assert contains_alias(text, [text]) == bool(normal)


@pytest.mark.parametrize(
    ("answer", "alias", "found"),
    [
        ("Albania's capital is Tirana.", "Iran", False),
        ("It is in new york city.", "New York", True),
        ("New York", "New York City", False),
        ("The Beatles sang it", "beatles", True),
        ("The symbol is In.", "In", True),
        ("The symbol in use is Fe", "In", False),
        ("It is in use", "in", False),
        ("Salt and pepper", "AND", False),
        ("Its code is AND", "AND", True),
        ("It was in May", "May", True),
        ("He is written Fe", "he", False),
        ("Ask us", "U.S.", False),
        ("It is in the U.S.", "US", True),
        ("Vitamin C", "vitamin A", False),
        ("It has 4 legs", "four", True),
        ("It has four legs", "4", True),
        ("It weighs 1.4 g", "4", False),
        ("It has 14 legs", "4", False),
        ("In 1,996 years", "1996", True),
        ("It is Sao Paulo", "São Paulo", True),
        ("東京です。", "東京", True),
        ("首都は Paris です", "Paris", True),
        ("首都はParisです", "Paris", True),
        ("กรุงเทพมหานครเป็นเมืองหลวง", "กรุงเทพ", True),
        ("Столица — Москва.", "москва", True),
        ("Столица — Москвабад.", "Москва", False),
        ("राजधानी दिल्ली है", "दिल्ली", True),
        ("राजधानी दिल्लीवाला है", "दिल्ली", False),
        ("पिता", "पित", False),
        ("العاصمة هي القاهرة.", "القاهرة", True),
        ("Anything.", "!", False),
        ("They are clones.", "clone", True),
        ("It is an oxidant.", "oxidants", True),
        ("Noble gases", "a noble gas", True),
        ("In the 1990s", "1990", False),
        ("It is mas.", "mass", False),
        ("", "Paris", False),
    ],
)
def test_aliases_are_whole_words(answer, alias, found):
    assert contains_alias(answer, [alias]) is found
    assert contains_alias(answer, ["no such thing", alias]) is found


@given(SPACED, SPACED, SPACED)
def test_an_alias_between_words_is_found_and_inside_a_word_is_not(before, alias, after):
    if normalise(alias):
        assert contains_alias(f"{before} {alias}, {after}", [alias])
        assert contains_alias(f"{before} {alias}", [alias.upper()]) or alias.upper().lower() != alias
        joined = normalise(before + alias + after)
        if not joined.startswith(normalise(alias)) or len(joined) > len(normalise(alias)) + 2:
            assert not contains_alias(before + alias + after, [alias])


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't answer that.",
        "I’m not sure who that is.",
        "As an AI language model, I know nothing.",
        "The father of Bede is unknown.",
        "I don't have any information about this.",
    ],
)
def test_refusals(text):
    assert is_refusal(text)
    assert label_answer(text, ["Paris"]) is None


def test_phrases_of_refusals_are_in_the_normal_form():
    assert all(normalise(phrase) == phrase for phrase in REFUSALS)


@pytest.mark.parametrize("text", ["Paris.", "The cannon is the answer.", "Unknown Pleasures", "It was asai."])
def test_answers_are_no_refusals(text):
    assert not is_refusal(text)


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("It is Paris.", False),
        ("It is Lyon.", True),
        ("Not Paris but Lyon.", False),  # the limit: a rule about words
        ("Lyon, Nice or Paris.", False),
        ("", None),
        (" \n", None),
        ("...", None),
        ("I don't know. Perhaps Paris?", None),
    ],
)
def test_labels(answer, label):
    assert label_answer(answer, ["Paris"]) is label


def test_aliases_in_the_question_tell_nothing():
    assert telling_aliases("Which country borders France?", ["Spain", "France", "?"]) == ["Spain"]
    assert telling_aliases("Is it red or blue?", ["blue"]) == []
