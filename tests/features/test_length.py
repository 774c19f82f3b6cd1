"""No feature tells how many tokens an answer has: on noise, short and long surfaces measure the same."""

import numpy as np
import pytest
from scipy.stats import rankdata

from halluscope.features import measure_features
from tests.features.noise import as_surface, profile_noise, smooth_noise, white_noise

SURFACES = 1200  # of each length: a standard error of 0.012 for every AUROC
PAIRS = [(18, 33), (8, 24), (5, 12), (2, 9), (1, 6)]
KINDS = [white_noise, smooth_noise]
LIMIT = 0.08
# ISO 25178-2 measures both from the mean of the very tokens whose heights they sum up: a little too low.
LIMIT_BELOW_FIVE_TOKENS = {"a.Sa": 0.1, "a.Sq": 0.12}


def auroc(short, long):
    """How often a long surface measures less than a short one."""
    ranks = rankdata(np.concatenate([short, long]), axis=0)[: len(short)]
    return (ranks.mean(axis=0) - (len(short) + 1) / 2) / len(long)


@pytest.mark.parametrize("noise", KINDS)
@pytest.mark.parametrize(("short", "long"), PAIRS)
def test_no_feature_separates_lengths_of_noise(noise, short, long):
    rng = np.random.default_rng(short)
    (names, few), (_, many) = (
        measure_features([as_surface(z) for z in noise(rng, SURFACES, tokens)]) for tokens in (short, long)
    )
    limits = {name: LIMIT if short >= 5 else LIMIT_BELOW_FIVE_TOKENS.get(name, LIMIT) for name in names}
    separation = dict(zip(names, auroc(few, many) - 0.5, strict=True))
    assert {name: s for name, s in separation.items() if abs(s) > limits[name]} == {}


@pytest.mark.parametrize(("short", "long"), [(18, 33), (8, 24), (5, 12), (3, 6)])
def test_profiles_over_the_tokens_alone_hardly_tell_lengths_from_three_tokens_on(short, long):
    rng = np.random.default_rng(short)
    (names, few), (_, many) = (
        measure_features([as_surface(z) for z in profile_noise(rng, SURFACES, tokens)])
        for tokens in (short, long)
    )
    separation = dict(zip(names, auroc(few, many) - 0.5, strict=True))
    # the same heights at every layer: their mean and their spread are those of as many points as tokens
    limits = {"a.Sa": 0.12, "a.Sq": 0.16, "a.Sdq": 0.12, "a.Sdr": 0.12, "a.gradient.tokens.rms": 0.12}
    assert {name: s for name, s in separation.items() if abs(s) > limits.get(name, LIMIT)} == {}


@pytest.mark.parametrize("noise", KINDS)
def test_what_is_not_normalised_would_be_found(noise):
    rng = np.random.default_rng(0)
    few, many = noise(rng, 300, 8), noise(rng, 300, 24)
    for measure in (
        lambda z: np.abs(np.diff(z, axis=1)).sum(axis=(1, 2)),
        lambda z: z.max(axis=(1, 2)),
        lambda z: np.ptp(z, axis=(1, 2)),
    ):
        assert abs(auroc(measure(few), measure(many)) - 0.5) > 2 * LIMIT
