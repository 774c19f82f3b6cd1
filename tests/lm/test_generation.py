import pytest
import torch
from transformers import GenerationConfig

from halluscope.errors import ContextWindowError, InputError
from halluscope.lm import generation
from halluscope.lm.generation import Sampling, generate_answers, sample_answers
from halluscope.lm.language_model import LanguageModel
from tests.tiny import FAMILIES, tiny_model, tiny_tokenizer

PROMPTS = [
    "Who?",
    "What is the capital of France? Answer in one short sentence.",
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who invented the telephone?"}],
    "What does <|im_end|> mean?",
    "Why is that so?",
]
NEW = 12


def argmax_loop(lm, prompt, ends, new=NEW):
    """Token by token, without cache, padding or transformers' generate."""
    ids = list(lm.tokenize_prompt(prompt))
    start = len(ids)
    for _ in range(new):
        with torch.inference_mode():
            best = int(lm.model(torch.tensor([ids])).logits[0, -1].argmax())
        if best in ends:
            break
        ids.append(best)
    return tuple(ids[start:])


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_a_token_by_token_loop(family):
    lm = LanguageModel(tiny_model(family, seed=3), tiny_tokenizer())
    answers = generate_answers(lm, PROMPTS, max_new_tokens=NEW)
    assert len({answer.ids for answer in answers}) > 1
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        assert answer.ids == argmax_loop(lm, prompt, {lm.tokenizer.eos_token_id})
        assert answer.finished == (len(answer.ids) < NEW)


def test_independent_of_the_batch(lm):
    together = generate_answers(lm, PROMPTS, max_new_tokens=NEW)
    alone = [generate_answers(lm, [prompt], max_new_tokens=NEW)[0] for prompt in PROMPTS]
    assert together == alone
    assert generate_answers(lm, PROMPTS[::-1], max_new_tokens=NEW) == together[::-1]
    assert generate_answers(lm, []) == []


@pytest.mark.parametrize(("chat", "bos"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_prompt_is_how_the_pair_begins_and_the_answer_how_it_ends(chat, bos):
    lm = LanguageModel(tiny_model(seed=3), tiny_tokenizer(chat=chat, bos=bos))
    answers = generate_answers(lm, PROMPTS, max_new_tokens=NEW)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        asked = lm.tokenize_prompt(prompt)
        assert lm.tokenize(prompt, "Bell.").ids[: len(asked)] == asked
        pair = lm.tokenize(prompt, list(answer.ids))
        assert pair.ids == asked + answer.ids
        assert pair.start == len(asked)
        assert pair.answer == answer.text


def test_tokens_that_end_an_answer_are_not_part_of_it(lm):
    (free,) = generate_answers(lm, PROMPTS[:1], max_new_tokens=NEW)
    model = tiny_model()
    end = free.ids[3]
    model.generation_config = GenerationConfig(
        eos_token_id=[end]
    )  # as of chats whose turns end with their own
    (answer,) = generate_answers(LanguageModel(model, tiny_tokenizer()), PROMPTS[:1], max_new_tokens=NEW)
    assert answer.ids == free.ids[: free.ids.index(end)]
    assert answer.finished
    assert not free.finished


def test_settings_of_the_model_are_set_aside_and_come_back(lm):
    plain = generate_answers(lm, PROMPTS, max_new_tokens=NEW)
    model = tiny_model()
    own = GenerationConfig(
        do_sample=True, temperature=5.0, repetition_penalty=9.0, max_length=3, eos_token_id=2
    )
    model.generation_config = own
    model.train()
    other = LanguageModel(model, tiny_tokenizer())
    assert generate_answers(other, PROMPTS, max_new_tokens=NEW) == plain
    assert model.generation_config is own
    assert own.do_sample
    assert model.training
    model.generate = None
    with pytest.raises(TypeError):
        generate_answers(other, PROMPTS)
    assert model.generation_config is own


@pytest.mark.parametrize("line", [" It is he.", " ", ""])
def test_without_a_chat_template_the_line_is_the_answer(line):
    tokenizer = tiny_tokenizer(chat=False)
    lm = LanguageModel(tiny_model(), tokenizer)
    ids = tokenizer(line)["input_ids"]
    lm.model = Scripted(lm.model, [*ids, *tokenizer("\nQuestion: Why?")["input_ids"]])
    (answer,) = generate_answers(lm, PROMPTS[:1], max_new_tokens=40)
    assert (answer.text, answer.ids, answer.finished) == (line, tuple(ids), True)
    assert lm.model.steps == len(ids) + 1  # it is stopped there
    lm.tokenizer.chat_template = "{{ messages[0]['content'] }}"
    (answer,) = generate_answers(lm, PROMPTS[:1], max_new_tokens=40)
    assert answer.text == line + "\nQuestion: Why?"


class Scripted:
    """Generates what is written, as far as the stopping criteria let it."""

    def __init__(self, model, script):
        self.model, self.script = model, script

    def __getattr__(self, name):
        return getattr(self.model, name)

    def generate(self, ids, attention_mask, stopping_criteria):
        self.steps = 0
        for token in [*self.script, 2]:
            self.steps += 1
            ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
            if any(bool(criterion(ids, None)[0]) for criterion in stopping_criteria):
                break
        return ids


def test_refused_prompts_are_named(lm):
    with pytest.raises(InputError, match="prompt 2: field 'prompt'"):
        generate_answers(lm, ["Who?", 5])
    with pytest.raises(ContextWindowError, match=r"prompt 2: .* 256"):
        generate_answers(lm, ["Who?", "Who? " * 300])
    with pytest.raises(ContextWindowError):  # no room for the answer
        generate_answers(lm, ["Who?"], max_new_tokens=256)
    with pytest.raises(InputError, match="max_new_tokens"):
        generate_answers(lm, ["Who?"], max_new_tokens=0)


def test_progress_counts_prompts(lm, monkeypatch):
    monkeypatch.setattr(generation, "TOKEN_BUDGET", 100)
    done = []
    small = LanguageModel(lm.model, lm.tokenizer, token_budget=100)
    generate_answers(small, PROMPTS, max_new_tokens=NEW, progress=done.append)
    assert sum(done) == len(PROMPTS)
    assert len(done) > 1


def distribution(lm, prompt, sampling):
    """Of the first token, from the logits of the model's own forward pass."""
    with torch.inference_mode():
        logits = lm.model(torch.tensor([lm.tokenize_prompt(prompt)])).logits[0, -1].double()
    p = (logits / sampling.temperature).softmax(0)
    order = p.argsort(descending=True)
    p[order[sampling.top_k :]] = 0
    p /= p.sum()
    p[order[1:][p[order].cumsum(0)[:-1] >= sampling.top_p]] = 0
    return p / p.sum()


@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(temperature=1.0, top_p=0.6), Sampling(temperature=2.0, top_k=3)]
)
def test_samples_follow_the_distribution(lm, sampling):
    (samples,) = sample_answers(lm, PROMPTS[:1], 600, sampling=sampling, max_new_tokens=1)
    expected = distribution(lm, PROMPTS[0], sampling)
    counts = torch.zeros_like(expected)
    for sample in samples:
        counts[sample.ids[0] if sample.ids else lm.tokenizer.eos_token_id] += 1
    assert not counts[expected == 0].any()
    assert (counts / 600 - expected).abs().max() < 0.09  # four standard errors of a half


def test_samples_come_back_with_their_seed_and_leave_torch_alone(lm):
    hot = Sampling(temperature=5.0, top_p=1.0, top_k=400)
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    first = sample_answers(lm, PROMPTS, 3, sampling=hot, max_new_tokens=NEW)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [len(answers) for answers in first] == [3] * len(PROMPTS)
    assert len({answer.ids for answers in first for answer in answers}) == 3 * len(PROMPTS)
    assert sample_answers(lm, PROMPTS, 3, sampling=hot, max_new_tokens=NEW) == first
    other = Sampling(5.0, 1.0, 400, seed=1)
    assert sample_answers(lm, PROMPTS, 3, sampling=other, max_new_tokens=NEW) != first


def test_a_cold_sample_is_the_greedy_answer(lm, monkeypatch):
    monkeypatch.setattr(generation, "TOKEN_BUDGET", 200)
    cold = Sampling(temperature=1e-4)
    greedy = generate_answers(lm, PROMPTS, max_new_tokens=NEW)
    small = LanguageModel(lm.model, lm.tokenizer, token_budget=200)  # several batches
    assert sample_answers(small, PROMPTS, 2, sampling=cold, max_new_tokens=NEW) == [
        [answer, answer] for answer in greedy
    ]
    with pytest.raises(InputError, match="n_samples"):
        sample_answers(lm, PROMPTS, 0)
