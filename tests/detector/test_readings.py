import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from halluscope.detector import readings
from halluscope.detector.readings import CHANNELS, EVIDENCE, SOURCES, fit_readings
from halluscope.detector.states import POOLINGS

LAYERS = 3


def random_states(n, d, seed=0):
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(n, len(POOLINGS), LAYERS, d)) * rng.uniform(0.5, 20, d) + rng.normal(size=d)
    return states.astype(np.float32), rng.random(n) < 0.4


def fit_reading(states, hallucinated, ridge):
    return fit_readings(states, hallucinated, ridge, [np.arange(len(states))])[0]


def project(states, reading, channel, pooling):
    """The activity scores (pairs, layers) of pooled states."""
    c = CHANNELS.index(channel)
    raw = np.einsum("nld,ld->nl", states[:, POOLINGS.index(pooling)], reading.directions[c].numpy())
    return (raw - reading.centres[c].numpy()) / reading.scales[c].numpy()


@pytest.fixture(params=["factorised", "iterated"])
def solver(request, monkeypatch):
    if request.param == "iterated":
        monkeypatch.setattr(readings, "_FACTORISED", 1)


def random_parts(n):
    """As cross-fitting has them: all pairs, folds, folds of folds; and one that overlaps with others."""
    rng = np.random.default_rng(4)
    parts = [np.arange(n)]
    for _ in range(3):
        outer = np.sort(rng.choice(n, int(0.8 * n), replace=False))
        parts += [outer, *(np.delete(outer, slice(place, None, 3)) for place in range(3))]
    return [*parts, np.arange(n // 3)]


@pytest.mark.usefixtures("solver")
@pytest.mark.parametrize(("n", "d"), [(60, 12), (20, 50)], ids=["primal", "dual"])
@pytest.mark.parametrize("channel", SOURCES)
def test_equal_to_sklearn_s_ridge_on_standardised_states(n, d, channel):
    states, hallucinated = random_states(n, d)
    ridge = 0.3
    reading = fit_reading(states, hallucinated, ridge)
    for layer in range(LAYERS):
        x = np.concatenate([states[:, POOLINGS.index(source), layer] for source in SOURCES[channel]])
        y = np.tile(np.where(hallucinated, -1.0, 1.0), len(SOURCES[channel]))
        scaler = StandardScaler().fit(x)
        z = (x - scaler.mean_) / x.std(axis=0, ddof=1)
        weights = Ridge(alpha=ridge * len(x)).fit(z, y).coef_
        found = reading.directions[CHANNELS.index(channel), layer].numpy()
        np.testing.assert_allclose(found, weights / x.std(axis=0, ddof=1), rtol=2e-3, atol=1e-5)


@pytest.mark.usefixtures("solver")
@pytest.mark.parametrize(("n", "d"), [(60, 12), (20, 50)], ids=["primal", "dual"])
def test_evidence_is_one_ridge_on_all_layers(n, d):
    states, hallucinated = random_states(n, d)
    reading = fit_reading(states, hallucinated, 0.3)
    mean, last = (states[:, POOLINGS.index(name)].reshape(n, -1) for name in ("mean", "last"))
    x = (mean + last) / 2
    variance = np.exp(-0.5 * ((np.arange(LAYERS) / (LAYERS - 1) - 0.6) / 0.12) ** 2)
    deviation = x.std(axis=0, ddof=1) / np.sqrt(variance).repeat(d)
    ridge = Ridge(alpha=variance.sum() * d).fit(x / deviation, np.where(hallucinated, -1.0, 1.0))
    # both poolings of a pair at once, and half of each state: the verdict is the same but for a constant
    found = sum(project(states, reading, EVIDENCE, name).sum(axis=1) for name in ("mean", "last"))
    expected = ridge.predict(x / deviation)
    np.testing.assert_allclose(np.corrcoef(found, expected)[0, 1], 1, atol=1e-6)
    assert len(set(reading.scales[CHANNELS.index(EVIDENCE)].tolist())) == 1


def test_a_planted_direction_is_found_in_its_layer_only():
    states, hallucinated = random_states(400, 16)
    states[:, :, 1, 5] += np.where(hallucinated, -3, 3)[:, None] * states[:, :, 1, 5].std()
    reading = fit_reading(states, hallucinated, 0.3)
    scores = project(states, reading, "reading", "mean")
    apart = scores[~hallucinated].mean(axis=0) - scores[hallucinated].mean(axis=0)
    assert apart[1] > 1.5  # positive means true
    assert abs(apart[[0, 2]]).max() < 1
    weights = (reading.directions[0, 1] * torch.from_numpy(states[:, 0, 1].std(axis=0))).abs()
    assert int(weights.argmax()) == 5


@pytest.mark.parametrize("channel", CHANNELS)
def test_scores_of_single_tokens_are_centred_and_lie_around_minus_two_to_two(channel):
    states, hallucinated = random_states(300, 16)
    states[:, POOLINGS.index("token")] *= 5  # pooled states vary less than single tokens
    reading = fit_reading(states, hallucinated, 0.3)
    scores = project(states, reading, channel, "token")
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-3)
    deviation = scores.std(axis=0, ddof=1)
    np.testing.assert_allclose((deviation**2).mean() if channel == EVIDENCE else deviation, 1, atol=1e-3)
    assert np.mean(np.abs(scores) < 2) > 0.9


@pytest.mark.parametrize(("n", "d"), [(60, 12), (20, 50)], ids=["primal", "dual"])
def test_coordinates_that_are_constant_but_for_rounding_have_no_say(n, d):
    states, hallucinated = random_states(n, d)
    states[..., 3] = 1000 * (1 + 1e-8 * np.random.default_rng(1).normal(size=states.shape[:-1]))
    states[:, :, 0] = states[:1, :, :1].mean()
    reading = fit_reading(states, hallucinated, 0.3)
    for tensor in (reading.directions, reading.centres, reading.scales):
        assert tensor.isfinite().all()
    assert not reading.directions[..., 3].any()
    assert not reading.directions[:, 0].any()


def test_one_token_everywhere_is_no_unit_to_measure_others_in():
    states, hallucinated = random_states(60, 12)
    rng = np.random.default_rng(5)
    states[:, :, 0] = states[0, 0, 0] * (1 + 1e-7 * rng.normal(size=(60, len(POOLINGS), 12)))
    reading = fit_reading(states, hallucinated, 0.3)
    others, _ = random_states(60, 12, seed=9)
    assert abs(project(others, reading, "reading", "token")[:, 0]).max() < 1e6


@pytest.mark.parametrize(("n", "d"), [(80, 10), (40, 60)], ids=["moments", "pairs"])
def test_parts_are_learned_from_as_if_each_were_alone(n, d):
    states, hallucinated = random_states(n, d)
    states += 1000  # far from the origin, as some coordinates of real states are
    parts = random_parts(n)
    for rows, found in zip(parts, fit_readings(states, hallucinated, 0.3, parts), strict=True):
        alone = fit_reading(states[rows], hallucinated[rows], 0.3)
        for name in ("directions", "centres", "scales"):
            np.testing.assert_allclose(getattr(found, name), getattr(alone, name), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize(("n", "d"), [(80, 10), (40, 60)], ids=["moments", "pairs"])
def test_a_label_outside_of_a_part_changes_nothing(n, d):
    states, hallucinated = random_states(n, d)
    parts = random_parts(n)
    before = fit_readings(states, hallucinated, 0.3, parts)
    for number, rows in enumerate(parts):
        flipped = ~hallucinated
        flipped[rows] = hallucinated[rows]
        after = fit_readings(states, flipped, 0.3, parts)[number]
        assert torch.equal(after.directions, before[number].directions)


def test_a_coordinate_that_varies_only_outside_of_a_part_has_no_weight():
    states, hallucinated = random_states(80, 10)
    states[:60, :, :, 3] = 5.0
    reading = fit_readings(states, hallucinated, 0.3, [np.arange(60), np.arange(80)])[0]
    assert not reading.directions[:3, :, 3].any()
