import warnings

import pytest

from halluscope.explain.caption import ELLIPSIS, plain_text, text_width, token_label, wrap_text

TEXTS = [
    "Elon Musk is a South African-born entrepreneur, inventor, and business magnate. " * 7,
    "W" * 600,
    "埃隆·马斯克是一位出生于南非的企业家" * 30,
    "مرحبا بالعالم " * 40,
    "🚀🎉 " * 200,
    "$x^2$ <b>bold</b> </script> " * 20,
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("bold", [False, True])
def test_lines_fit(text, bold):
    lines = wrap_text(plain_text(text), 400, 11, 5, bold)
    assert len(lines) == 5
    assert all(text_width(line, 11, bold) <= 400 for line in lines)
    assert lines[-1].endswith(ELLIPSIS)


@pytest.mark.parametrize("text", TEXTS)
def test_nothing_is_lost_with_lines_enough(text):
    lines = wrap_text(plain_text(text), 400, 11, 1000)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_lines_break_between_words():
    assert wrap_text("aaa bbb ccc", text_width("aaa bbb", 10) + 1, 10, 5) == ["aaa bbb", "ccc"]
    assert wrap_text("aaa", 1, 10, 5) == ["a", "a", "a"]
    assert wrap_text("", 100, 10, 5) == []


def test_width_of_unknown_glyphs_is_measured_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert text_width("埃🚀𒀀", 10) > 20


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a\n\n b\tc", "a b c"),
        ("a\x00\x07b", "ab"),
        ("a\ud83db", "ab"),
        ("\u202eabc", "abc"),
        ("$x^2$ <b>", "$x^2$ <b>"),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_plain_text(text, plain):
    assert plain_text(text) == plain


@pytest.mark.parametrize(
    ("token", "label"),
    [
        (" Musk", "Musk"),
        ("\n", "↵"),
        ("  ", "␣"),
        ("", "·"),
        ("\x00", "·"),
        ("\ufffd", "\ufffd"),
        ("entrepreneurship", "entreprene…"),
        ("$", "$"),
    ],
)
def test_token_label(token, label):
    assert token_label(token) == label
