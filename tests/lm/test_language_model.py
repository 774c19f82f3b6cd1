import copy
import pickle
import threading

import accelerate
import numpy as np
import pytest
import torch
from sklearn.base import clone

import halluscope
from halluscope.errors import ContextWindowError, InputError, ModelError
from halluscope.lm.language_model import LanguageModel, check_language_model
from halluscope.records import Pair
from halluscope.surfaces import record_surfaces
from tests.tiny import tiny_model, tiny_tokenizer

PROMPT, ANSWER = "Who invented the telephone?", "Alexander Graham Bell, in 1876."


@pytest.fixture(scope="module")
def lm():
    return LanguageModel(tiny_model(), tiny_tokenizer())


@pytest.fixture(scope="module")
def values(lm):
    return lm.surface(PROMPT, ANSWER).values


def test_what_it_is(lm):
    assert halluscope.LanguageModel is LanguageModel
    assert (lm.n_layers, lm.hidden_size, lm.context_window, lm.device.type) == (5, 32, 256, "cpu")
    assert repr(lm) == "LanguageModel('LlamaForCausalLM', 4 blocks of width 32)"
    assert LanguageModel(lm.model, lm.tokenizer, name="mine").name == "mine"


def test_dropout_is_off_while_recording_and_every_module_stays_as_it_was():
    model = tiny_model("gpt2")
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    lm = LanguageModel(model, tiny_tokenizer())
    expected = lm.surface(PROMPT, ANSWER)
    model.train()
    model.transformer.h[1].eval()
    before = [module.training for module in model.modules()]
    assert lm.surface(PROMPT, ANSWER) == expected
    assert [module.training for module in model.modules()] == before
    with pytest.raises(ZeroDivisionError):
        lm.surface(
            PROMPT, ANSWER, measures=[type("Bad", (), {"channels": ("x",), "__call__": lambda *_: 1 / 0})()]
        )
    assert [module.training for module in model.modules()] == before


def test_gradients_and_inference_mode_outside_make_no_difference(lm, values):
    for mode in (torch.inference_mode, torch.no_grad, torch.enable_grad):
        with mode():
            np.testing.assert_array_equal(lm.surface(PROMPT, ANSWER).values, values)
    ids = torch.tensor([lm.tokenize(PROMPT, ANSWER).ids])
    lm.model(ids, labels=ids).loss.backward()  # the model is not left in an inference mode
    lm.model.zero_grad()


def test_weights_that_wait_in_memory_or_on_disk(values, tmp_path):
    cpu = torch.device("cpu")
    for model in (
        accelerate.disk_offload(tiny_model(), tmp_path / "all", execution_device=cpu),
        accelerate.cpu_offload(tiny_model(), execution_device=cpu),
        accelerate.dispatch_model(
            tiny_model(),
            {
                "model.embed_tokens": "cpu",
                "model.rotary_emb": "cpu",
                "model.norm": "disk",
                "lm_head": "disk",
                **{f"model.layers.{i}": "disk" if i % 2 else "cpu" for i in range(4)},
            },
            main_device="cpu",
            offload_dir=tmp_path / "some",
            force_hooks=True,
        ),
    ):
        lm = LanguageModel(model, tiny_tokenizer())
        assert lm.device == cpu
        np.testing.assert_allclose(lm.surface(PROMPT, ANSWER).values, values, atol=1e-6)


def test_a_padding_token_that_the_model_does_not_know(values):
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<new pad>"})
    tokenizer.padding_side = "left"
    lm = LanguageModel(tiny_model(), tokenizer)
    pairs = [lm.tokenize(PROMPT, ANSWER), lm.tokenize("Who?", "Me.")]
    np.testing.assert_allclose(record_surfaces(lm, pairs)[0].values, values, atol=1e-4)
    tokenizer.pad_token = None
    np.testing.assert_allclose(record_surfaces(lm, pairs)[0].values, values, atol=1e-4)


def test_a_tokenizer_of_another_model(lm):
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([f"<{number}>" for number in range(400)])
    with pytest.raises(InputError, match=r"token id [0-9]+ is not in the model's vocabulary of 400"):
        LanguageModel(lm.model, tokenizer).surface("Who?", "<399>")
    for ids in ([400], [-1]):
        with pytest.raises(InputError, match=f"token id {ids[0]} is not"):
            lm.surface("Who?", ids)


def test_errors_name_the_pair(lm):
    pairs = [Pair("Who?", "Me."), Pair("Who?", " ", where="pairs.jsonl, line 2")]
    with pytest.raises(InputError, match=r"^pairs.jsonl, line 2: field 'answer' is empty"):
        lm.tokenize_pairs(pairs)
    with pytest.raises(ContextWindowError, match=r"^pair 7: .* tokens together, but .* at most 256") as error:
        lm.tokenize_pairs([Pair("Who?", "word " * 300, where="pair 7")])
    assert error.value.window == 256
    assert error.value.length > 300


def test_context_windows():
    model, tokenizer = tiny_model("bloom"), tiny_tokenizer()
    del model.config.max_position_embeddings  # as in real ones
    assert LanguageModel(model, tokenizer).context_window is None
    tokenizer.model_max_length = 99
    assert LanguageModel(model, tokenizer).context_window == 99


def test_progress_counts_pairs(lm):
    small = LanguageModel(lm.model, lm.tokenizer, token_budget=40)
    pairs = [small.tokenize("Who?", f"{n} Bell. " * n) for n in (1, 9, 2, 5)]
    done = []
    surfaces = record_surfaces(small, pairs, progress=done.append)
    assert sum(done) == 4
    assert len(done) > 1
    assert [s.answer for s in surfaces] == [p.answer for p in pairs]


@pytest.mark.parametrize("packed", [True, False])
def test_a_batch_that_memory_does_not_suffice_for_is_halved(packed, monkeypatch):
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    if not packed:
        monkeypatch.setattr(lm._packer, "takes_packed_rows", lambda: False)
    texts = [(f"{'Well. ' * (n % 3)}Who is number {n}?", f"He is {'very ' * (n % 4)}old.") for n in range(20)]
    pairs = lm.tokenize_pairs([Pair(*text) for text in texts])
    expected = record_surfaces(lm, pairs)
    read, done = [], []

    def run_out(decoder, args, options):
        read.append(options["input_ids"].numel())
        if read[-1] > most:
            raise torch.OutOfMemoryError("out of memory")

    lengths = [len(pair.ids) for pair in pairs]
    most = 3 * max(lengths)
    lm.anatomy.decoder.register_forward_pre_hook(run_out, with_kwargs=True)
    found = record_surfaces(lm, pairs, progress=done.append)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-4)
    assert sum(done) == len(pairs)
    failed = sum(tokens > most for tokens in read)
    assert 1 <= failed < 5  # later batches are not tried at a size that was too large
    most = min(lengths) - 1
    with pytest.raises(torch.OutOfMemoryError):
        record_surfaces(lm, pairs)


def test_copies_share_or_carry_the_model(lm, values):
    assert clone(lm, safe=False) is lm
    for other in (pickle.loads(pickle.dumps(lm)), copy.deepcopy(lm)):  # noqa: S301 -- our own bytes
        np.testing.assert_array_equal(other.surface(PROMPT, ANSWER).values, values)
        assert other.fingerprint == lm.fingerprint


def test_threads_do_not_see_each_other_s_states(values):
    model = tiny_model()
    languages = [LanguageModel(model, tiny_tokenizer()) for _ in range(2)]  # two locks, one model
    stop, failures = threading.Event(), []

    def somebody_else():
        while not stop.is_set():
            with torch.no_grad():
                model(torch.arange(3, 90)[None])

    def record(lm):
        try:
            for _ in range(10):
                control = lm.surface("<|im_end|>", "<|im_end|>")
                assert control.answer == "<|im_end|>"
                np.testing.assert_allclose(lm.surface(PROMPT, ANSWER).values, values, atol=1e-5)
        except BaseException as error:
            failures.append(error)

    other = threading.Thread(target=somebody_else)
    threads = [threading.Thread(target=record, args=[lm]) for lm in languages * 2]
    for thread in (other, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    other.join()
    assert not failures


@pytest.mark.default_model
def test_the_default_model():
    lm = LanguageModel.from_pretrained()
    assert lm.name == "smollm2-135m-instruct"
    assert (lm.n_layers, lm.hidden_size) == (31, 576)
    surface = lm.surface(PROMPT, ANSWER)
    assert surface.shape[1:] == (31, len(surface.tokens))
    assert np.isfinite(surface.values).all()


def test_another_template_makes_another_language_model():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    before = lm.fingerprint
    template = lm.tokenizer.chat_template
    lm.tokenizer.chat_template = template.replace("assistant", "assistant says")
    assert lm.fingerprint == LanguageModel(lm.model, lm.tokenizer).fingerprint != before
    lm.tokenizer.chat_template = template
    assert lm.fingerprint == before


def test_a_vocabulary_that_grew_is_read_with_its_new_unembedding():
    model = tiny_model()
    lm = LanguageModel(model, tiny_tokenizer())
    with pytest.raises(InputError, match="vocabulary of 400"):
        lm.surface("Who?", [403])
    model.resize_token_embeddings(408)
    with torch.no_grad():
        model.get_output_embeddings().weight.add_(torch.randn(408, 32) / 10)
    grown = lm.surface("Who?", [403])
    np.testing.assert_array_equal(
        grown.values, LanguageModel(model, tiny_tokenizer()).surface("Who?", [403]).values
    )


@pytest.mark.parametrize("compiled", ["model", "decoder", "blocks", "wrapped"])
def test_compiled_models_are_read_uncompiled(values, compiled):
    model = tiny_model()
    if compiled == "model":
        model.compile(backend="eager")
    elif compiled == "decoder":
        model.get_decoder().compile(backend="eager")
    elif compiled == "blocks":
        for block in model.get_decoder().layers:
            block.compile(backend="eager")
    else:
        model = torch.compile(model, backend="eager")
    lm = LanguageModel(model, tiny_tokenizer())
    calls = [module._compiled_call_impl for module in lm.model.modules()]
    assert lm.fingerprint == LanguageModel(tiny_model(), tiny_tokenizer()).fingerprint
    np.testing.assert_allclose(lm.surface(PROMPT, ANSWER).values, values, atol=1e-5)
    assert [module._compiled_call_impl for module in lm.model.modules()] == calls


def test_a_block_that_was_wrapped_is_read(lm, values):
    class Wrapped(torch.nn.Module):
        def __init__(self, block):
            super().__init__()
            self.block = block

        def forward(self, *args, **kwargs):
            return self.block(*args, **kwargs)

    wrapped = LanguageModel(tiny_model(), tiny_tokenizer())
    blocks = wrapped.model.get_decoder().layers
    blocks[1] = Wrapped(blocks[1])
    np.testing.assert_allclose(wrapped.surface(PROMPT, ANSWER).values, values, atol=1e-6)


def test_what_is_no_tokenizer_or_no_language_model_is_named(lm):
    with pytest.raises(ModelError, match="NoneType is not a transformers tokenizer"):
        LanguageModel(lm.model, None)
    assert check_language_model(lm) is lm
    with pytest.raises(InputError, match=r"not str: wrap what you have loaded as .*LanguageModel\(model"):
        check_language_model("smollm2-135m-instruct")
