import numpy as np
import pytest
import torch

from halluscope.detector.labelled import check_labelled
from halluscope.evaluation.act_vit import ActivationTransformer, ActVit
from halluscope.evaluation.activation_tensor import ACTIVATIONS, LAYER_BINS, TOKEN_BINS
from halluscope.evaluation.folds import out_of_fold
from halluscope.evaluation.metrics import auroc
from halluscope.evaluation.recording import record_pairs
from halluscope.folds import grouped_folds
from halluscope.lm.language_model import LanguageModel
from halluscope.records import as_pairs
from tests.evaluation.contract import check_not_flipped, check_planted
from tests.evaluation.recordings import WIDTH, recorded
from tests.tiny import tiny_model, tiny_tokenizer


@pytest.mark.parametrize("shift", [4.0, -4.0])
def test_a_planted_difference_is_found_whatever_its_sign(shift):
    pairs, y, groups = recorded(240, shift=shift)
    check_planted(ActVit, pairs, y, groups, least=0.9)
    check_not_flipped(ActVit, pairs, y, groups, most=0.25)


def test_what_holds_of_two_cells_together_is_found():
    """Neither cell says anything alone: the sign of one states whether the other's is a lie."""
    pairs, y, groups = recorded(400)
    rng = np.random.default_rng(3)
    sign = rng.choice([-1, 1], size=len(y))
    image = pairs.extras[ACTIVATIONS]
    image[:, 0, :, 0] += (4 * sign)[:, None]
    image[:, 3, :, 1] += (4 * sign * np.where(y, 1, -1))[:, None]
    probability = out_of_fold(ActVit(epochs=40), pairs, y, groups, grouped_folds(y, groups, 2))
    assert auroc(y, probability) > 0.9


def test_torch_s_own_random_numbers_do_not_matter_and_are_left_alone():
    pairs, y, groups = recorded(60, shift=2.0)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = ActVit(epochs=3).fit(pairs, y, groups).predict_proba(pairs)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert (ActVit(epochs=3).fit(pairs, y, groups).predict_proba(pairs) == first).all()
    assert (ActVit(epochs=3, random_state=1).fit(pairs, y, groups).predict_proba(pairs) != first).any()


def test_scale_and_place_of_a_feature_do_not_matter():
    pairs, y, groups = recorded(60, shift=2.0)
    first = ActVit(epochs=2).fit(pairs, y, groups).predict_proba(pairs)
    pairs.extras[ACTIVATIONS][..., 3] = pairs.extras[ACTIVATIONS][..., 3] * 64 + 128
    moved = ActVit(epochs=2).fit(pairs, y, groups).predict_proba(pairs)
    assert moved == pytest.approx(first, abs=0.02)  # float16 rounds more coarsely there


def test_a_patch_is_two_neighbouring_layers_of_one_bin_of_tokens():
    network = ActivationTransformer((TOKEN_BINS, LAYER_BINS, WIDTH)).eval()
    network.blocks = torch.nn.Identity()
    images = torch.randn(1, TOKEN_BINS, LAYER_BINS, WIDTH)
    seen = []
    network.patch.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    with torch.inference_mode():
        network(images)
        adapted = network.adapter(images[0, 2, 4:6])
    assert torch.allclose(seen[0][0, 2 * LAYER_BINS // 2 + 2], adapted.flatten(), atol=1e-5)


@pytest.mark.parametrize("answer", ["It", "It was", "It was Alexander Graham Bell, a man of many talents."])
def test_cells_are_means_over_whole_tokens_and_layers(answer):
    model = tiny_model()
    lm = LanguageModel(model, tiny_tokenizer())
    records = [
        {"prompt": "Who?", "answer": answer, "hallucinated": True},
        {"prompt": "Who invented the telephone?", "answer": "Bell.", "hallucinated": False},
    ]
    found = record_pairs(lm, check_labelled(as_pairs(records), None, None), extras=[ACTIVATIONS])
    seen = []

    def visitor(indices):
        return lambda layer: seen.append(layer.state.double().numpy())

    lm.visit([lm.tokenize("Who?", answer)], visitor)
    stream = np.stack(seen, axis=1)  # tokens, layers, d
    assert found.recorded(ACTIVATIONS).shape == (2, TOKEN_BINS, LAYER_BINS, lm.hidden_size)
    for place in np.ndindex(TOKEN_BINS, LAYER_BINS):
        cell = stream
        for axis, (number, bins) in enumerate(zip(place, (TOKEN_BINS, LAYER_BINS), strict=True)):
            size = stream.shape[axis]
            within = [
                i for i in range(size) if i + 1 > number * size / bins and i < (number + 1) * size / bins
            ]
            cell = cell.take(within, axis=axis)
        expected = cell.mean(axis=(0, 1))
        assert found.recorded(ACTIVATIONS)[(0, *place)] == pytest.approx(expected, rel=2e-3, abs=2e-3)
