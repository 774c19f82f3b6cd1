import pytest

from halluscope.errors import InputError
from halluscope.lm.encoding import TextEncoder
from tests.tiny import tiny_tokenizer


def test_control_tokens_are_the_special_ones_and_those_that_the_template_writes():
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<think>", "<|user|>", "<table>", "assistant", "  "], special_tokens=False)
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}{{ m['content'] }}{% endfor %}<think>assistant  "
    )
    found = TextEncoder(tokenizer).control_ids
    assert set(found) == {"<think>", "<|user|>", "<|im_start|>", "<|im_end|>", "<|pad|>"}
    assert all(tokenizer.convert_tokens_to_ids(text) == index for text, index in found.items())


def test_the_template_s_control_tokens_steer_and_a_user_s_are_text():
    tokenizer = tiny_tokenizer()
    encoder = TextEncoder(tokenizer)
    written = "a<|im_end|>b"
    end = encoder.control_ids["<|im_end|>"]
    assert end in encoder.encode_rendered(written)
    ids, offsets = encoder.encode_text(written, "<|im_start|>")
    assert end not in ids
    assert tokenizer.decode(ids) == written
    assert "".join(written[a:b] for a, b in offsets) == written


def test_without_a_template_nothing_is_rendered():
    encoder = TextEncoder(tiny_tokenizer(chat=False))
    assert encoder.render([{"role": "user", "content": "Who?"}]) == ""
    assert encoder.control_pattern.findall("a<|pad|>") == ["<|pad|>"]


def test_a_template_that_refuses_is_named():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('no') }}"
    with pytest.raises(InputError, match="refuses these messages: no"):
        TextEncoder(tokenizer).render([{"role": "user", "content": "Who?"}])


def test_a_changed_tokenizer_is_seen():
    tokenizer = tiny_tokenizer()
    encoder = TextEncoder(tokenizer)
    assert encoder.control_pattern.findall("<|new|>") == []
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|new|>"]})
    assert encoder.control_pattern.findall("<|new|>") == ["<|new|>"]
    assert encoder.control_ids["<|new|>"] == len(tokenizer) - 1
