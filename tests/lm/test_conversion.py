import dataclasses

import gguf
import numpy as np
import pytest
import torch
import transformers
from tokenizers import pre_tokenizers
from transformers import modeling_gguf_pytorch_utils as reader

from halluscope.errors import PullError
from halluscope.lm import conversion
from halluscope.lm.catalogue import PROBE, known_model
from halluscope.lm.conversion import convert

WIDTH, LAYERS = 32, 2


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A GGUF file of a tiny model whose tokens are single bytes and a blank line."""
    path = tmp_path_factory.mktemp("gguf") / "toy.gguf"
    tokens = ["<pad>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "ĊĊ"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("toy")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_token_merges(["Ċ Ċ"])
    writer.add_pad_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (len(tokens), WIDTH), "output_norm": (WIDTH,)}
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            shapes[f"blk.{layer}.{part}"] = (WIDTH, WIDTH)
        shapes |= {f"blk.{layer}.attn_norm": (WIDTH,), f"blk.{layer}.ffn_norm": (WIDTH,)}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.normal(size=shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ids = {token: number for number, token in enumerate(tokens)}
    text = PROBE.replace(" ", "Ġ").replace("\n\n", "Ċ")
    probe = tuple(ids["ĊĊ" if character == "Ċ" else character] for character in text)
    known = dataclasses.replace(
        known_model("smollm2-135m-instruct"), gguf_name=path.name, probe=probe, special_ids=(1, 2, 0)
    )
    return path, known


def test_writes_a_folder_that_gives_the_same_logits(toy, tmp_path, capfd):
    path, known = toy
    folder = tmp_path / "model"
    convert(path, folder, known)
    assert capfd.readouterr() == ("", "")
    modes = {file.stat().st_mode for file in folder.iterdir()}
    assert len(modes) == 1

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert tuple(tokenizer(PROBE)["input_ids"]) == known.probe
    assert tokenizer.decode(known.probe) == PROBE
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    with conversion._quiet(transformers):
        direct = conversion._load_weights(transformers, path)
    with torch.no_grad():
        ids = torch.tensor([known.probe])
        assert torch.equal(model(ids).logits, direct(ids).logits)


def test_texts_begin_with_the_token_that_the_catalogue_wants(toy, tmp_path):
    path, known = toy
    known = dataclasses.replace(known, probe=(1, *known.probe))
    convert(path, tmp_path / "model", known)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    assert tuple(tokenizer(PROBE)["input_ids"]) == known.probe


@pytest.mark.parametrize("change", [{"digits_apart": False}, {"special_ids": (1, 1, None)}, {"probe": (1,)}])
def test_a_tokenizer_read_wrongly_is_refused(toy, tmp_path, change):
    path, known = toy
    with pytest.raises(PullError, match=r"reads the tokenizer of toy\.gguf wrongly.*upgrade transformers"):
        convert(path, tmp_path / "model", dataclasses.replace(known, **change))


def test_a_file_that_cannot_be_read(toy, tmp_path):
    path = tmp_path / "toy.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(PullError, match=rf"transformers {transformers.__version__} cannot convert toy\.gguf"):
        convert(path, tmp_path / "model", toy[1])


def test_a_full_disk_told_in_words(toy, tmp_path, monkeypatch):
    def full(*args):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(conversion, "_load_weights", full)
    with pytest.raises(OSError, match="No space left"):
        convert(toy[0], tmp_path / "model", toy[1])


def test_releases_that_cannot_keep_weights_packed(toy, monkeypatch):
    asked = {}

    class Older:
        class AutoModelForCausalLM:
            @staticmethod
            def from_pretrained(folder, **options):
                asked.update(options)

    conversion._load_weights(Older, toy[0])
    assert asked == {"gguf_file": "toy.gguf", "dtype": torch.bfloat16}


def test_the_settings_are_put_back():
    logging = transformers.utils.logging
    before = (logging.get_verbosity(), logging.is_progress_bar_enabled(), reader.tqdm)

    def fail():
        with conversion._quiet(transformers):
            assert not logging.is_progress_bar_enabled()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled(), reader.tqdm) == before
