"""Primers: what stands before every pair that a detector reads."""

import pytest
import torch

from halluscope import LanguageModel
from halluscope.errors import ContextWindowError, InputError
from halluscope.lm.primer import PRIMER
from halluscope.lm.tokens import PairTokenizer
from tests.tiny import tiny_model, tiny_tokenizer

SHORT = (("Who?", "Bell."), ("Where is Paris?", "In France."))
SYSTEM_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat(template=None, window=None):
    tokenizer = tiny_tokenizer()
    if template:
        tokenizer.chat_template = template
    return PairTokenizer(tokenizer, window)


def text_of(tokenizer, pair):
    return tokenizer.tokenizer.decode(pair.ids)


def primed(tokenizer, *pair, primer=SHORT):
    return tokenizer(*pair, primer=primer)


@pytest.mark.parametrize("template", [None, SYSTEM_TEMPLATE])
def test_a_primer_is_an_earlier_part_of_the_conversation(template):
    tokenizer = chat(template)
    pair = primed(tokenizer, "What is it?", "It is 1876.")
    messages = []
    for asked, answer in SHORT:
        messages += [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": f"Answer: {answer}"},
        ]
    messages.append({"role": "user", "content": "What is it?"})
    rendered = tokenizer.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text_of(tokenizer, pair) == rendered + "Answer: It is 1876."
    before = rendered[: rendered.rindex("<|im_start|>user")]
    assert tokenizer.tokenizer.decode(pair.ids[: pair.primed]) == before


def test_the_answer_is_told_by_its_characters_as_before():
    tokenizer = chat()
    alone, pair = tokenizer("What is it?", "It is 1876."), primed(tokenizer, "What is it?", "It is 1876.")
    assert tokenizer.tokenizer.decode(pair.ids[pair.start :]) == " It is 1876."
    assert pair.answer == alone.answer == "It is 1876."
    assert "".join(pair.tokens) == pair.answer
    assert (pair.offsets[0][0], pair.offsets[-1][1]) == (0, len(pair.answer))
    assert alone.primed == 0


def test_token_ids_of_an_answer_are_taken_as_they_are():
    tokenizer = chat()
    alone, pair = tokenizer("What is it?", [7, 8, 9]), primed(tokenizer, "What is it?", [7, 8, 9])
    assert pair.ids[pair.primed :] == alone.ids


def test_all_pairs_share_the_primer():
    tokenizer = chat(SYSTEM_TEMPLATE)
    own_system = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]
    pairs = [primed(tokenizer, prompt, "Paris.") for prompt in ("What is it?", "", own_system, [5, 6, 7])]
    assert len({pair.ids[: pair.primed] for pair in pairs}) == 1
    # what does not begin as the template does follows on the primer whole
    assert "<|im_start|>system\nBe kind.<|im_end|>" in text_of(tokenizer, pairs[2])
    assert pairs[3].ids[pairs[3].primed : pairs[3].start][:3] == (5, 6, 7)
    assert text_of(tokenizer, pairs[0]).count("<|im_start|>system") == 1


def test_token_ids_of_a_rendered_prompt_are_primed_as_its_text_is():
    tokenizer = chat(SYSTEM_TEMPLATE)
    alone = tokenizer("What is it?", "Paris.")
    by_ids = primed(tokenizer, list(alone.ids[: alone.start]), "Paris.")
    assert by_ids.ids == primed(tokenizer, "What is it?", "Paris.").ids


def test_what_users_write_stays_text_behind_a_primer():
    tokenizer = chat()
    pair = primed(tokenizer, "a<|im_end|>b", "c<|im_start|>d")
    own = pair.ids[pair.primed :]
    assert (own.count(1), own.count(2)) == (2, 1)


@pytest.mark.parametrize(
    ("template", "before", "between"),
    [
        # the last message of all ends in another way, as Phi's does
        (
            "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% else %}<|pad|>{% endif %}",
            "",
            "<|im_end|>\n<|im_start|>user",
        ),
        # thoughts before the last answer of all, as Qwen's
        (
            "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
            "{% if loop.last and m['role'] == 'assistant' %}"
            "<think></think>{% endif %}{{ m['content'] }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
            "",
            "<|im_end|>\n<|im_start|>user",
        ),
        # a text begins with a token of its own, and turns are in brackets, as Mistral's
        (
            "<|pad|>{% for m in messages %}"
            "{% if m['role'] == 'user' %}[INST] {{ m['content'] | trim }} [/INST]"
            "{% else %} {{ m['content'] | trim }}<|im_end|>{% endif %}{% endfor %}",
            "<|pad|>",
            "<|im_end|>[INST]",
        ),
    ],
    ids=["phi", "thinking", "mistral"],
)
def test_templates_of_other_kinds(template, before, between):
    tokenizer = chat(template)
    text = text_of(tokenizer, primed(tokenizer, "What is it?", "Paris."))
    assert text.startswith(before)
    assert text.count("<|pad|>") == before.count("<|pad|>")
    assert "<think>" not in text
    assert text.count(between) == len(SHORT)
    assert text.count("Answer:") == len(SHORT) + 1
    assert text.endswith("Answer: Paris.")


def test_a_template_that_takes_one_question_takes_no_primer():
    tokenizer = chat(
        "{% if messages | length > 1 %}{{ raise_exception('one question') }}{% endif %}"
        "<|im_start|>{{ messages[0]['content'] }}<|im_end|>"
    )
    assert primed(tokenizer, "What is it?", "Paris.") == tokenizer("What is it?", "Paris.")


def test_a_template_with_a_date_is_read_anew_the_next_day():
    tokenizer = chat()
    render = tokenizer._encoder.render
    today = {"is": "Monday"}
    tokenizer._encoder.render = lambda messages: f"<|pad|>{today['is']}\n{render(messages)}"
    first = primed(tokenizer, "What is it?", "Paris.")
    today["is"] = "Tuesday"
    second = primed(tokenizer, "What is it?", "Paris.")
    assert "Monday" in text_of(tokenizer, first)
    assert text_of(tokenizer, second) == text_of(tokenizer, first).replace("Monday", "Tuesday")


def test_control_tokens_in_a_primer_are_refused():
    with pytest.raises(InputError, match="control token"):
        primed(chat(), "What?", "Paris.", primer=(("x<|im_end|>", "b"),))


def test_a_list_is_as_good():
    assert primed(chat(), "What?", "P", primer=[list(each) for each in SHORT]) == primed(chat(), "What?", "P")


def test_without_a_template_there_is_no_primer():
    tokenizer = PairTokenizer(tiny_tokenizer(chat=False))
    assert primed(tokenizer, "What is it?", "Paris.") == tokenizer("What is it?", "Paris.")


def test_a_primer_takes_up_a_quarter_of_the_context_window():
    whole = primed(chat(), "What is it?", "Paris.")
    first = primed(chat(window=4 * whole.primed - 4), "What is it?", "Paris.")
    assert 0 < first.primed < whole.primed
    assert first.ids[: first.primed] == whole.ids[: first.primed]
    nothing = chat(window=40)
    assert primed(nothing, "What?", "P") == nothing("What?", "P")


def test_a_pair_that_fits_only_without_its_primer_is_named():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    room = lm.context_window - len(lm.tokenize("What is it?", "Paris.").ids)
    answer = "Paris." + " Paris." * (room // 2 - 2)
    with pytest.raises(ContextWindowError, match=r"more with the detector's primer.*--no-primer"):
        lm.tokenize("What is it?", answer, primer=SHORT)
    assert lm.tokenize("What is it?", answer).primed == 0


@pytest.mark.default_model
def test_the_default_primer_on_the_default_model():
    lm = LanguageModel.from_pretrained("smollm2-135m-instruct", dtype=torch.bfloat16)
    pair = lm.tokenize("What is the capital of France?", "Paris.", primer=PRIMER)
    text = lm.tokenizer.decode(pair.ids)
    assert text.count("<|im_start|>system") == 1
    assert text.count("<|im_start|>user") == len(PRIMER) + 1
    assert lm.tokenizer.decode(pair.ids[pair.primed :]).startswith("<|im_start|>user\nWhat is the capital")


def test_tokens_that_are_added_are_read_in_a_known_primer():
    tokenizer = tiny_tokenizer()
    encode = PairTokenizer(tokenizer, 256)
    before = encode("Who?", "Me.", primer=(("What is Zyx?", "Zyx."),))
    tokenizer.add_tokens(["Zyx"])
    after = encode("Who?", "Me.", primer=(("What is Zyx?", "Zyx."),))
    assert after.ids == PairTokenizer(tokenizer, 256)("Who?", "Me.", primer=(("What is Zyx?", "Zyx."),)).ids
    assert len(after.ids) < len(before.ids)
