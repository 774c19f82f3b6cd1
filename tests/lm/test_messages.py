import re

import pytest

from halluscope.lm.messages import HiddenControls, as_messages

CONTROL = re.compile(r"(<\|end\|>|<\|user\|>)")


def test_text_is_a_user_s_message():
    assert as_messages("Who?", None) == [{"role": "user", "content": "Who?"}]


def test_context_goes_before_the_last_question():
    asked = [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1."},
        {"role": "user", "content": [{"type": "text", "text": "Two"}, {"type": "text", "text": "or three?"}]},
    ]
    messages = as_messages(asked, "A book.")
    assert [m["content"] for m in messages] == ["One?", "1.", "A book.\n\nTwo\nor three?"]
    assert asked[0]["content"] == "One?"
    assert as_messages("", "A book.")[0]["content"] == "A book."


@pytest.mark.parametrize(
    "text", ["plain", "a<|end|>b", "<|user|><|end|>", "\ue000 is taken<|end|>", "1<|end|>23<|user|>4"]
)
def test_control_tokens_are_hidden_and_come_back(text):
    hiding = HiddenControls(CONTROL, [{"role": "user", "content": text, "parts": [text, {"deep": text}]}])
    (message,) = hiding.messages
    for found in (message["content"], message["parts"][0], message["parts"][1]["deep"]):
        assert not CONTROL.search(found)
        assert hiding.reveal(found) == text
    assert hiding.hidden == CONTROL.findall(text) * 3
