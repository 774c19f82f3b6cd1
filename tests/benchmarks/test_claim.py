import json

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from benchmarks import claim, claim_table
from benchmarks.claim import FAMILIES, compare, main, summarise, surface_features
from benchmarks.claim_figure import draw_claim
from benchmarks.corpus import Corpus
from halluscope import LanguageModel
from halluscope.detector.readings import CHANNELS
from halluscope.evaluation.matched import matched_differences
from halluscope.evaluation.smoothness import ALL, CLAIMED
from halluscope.features import family_of, feature_names
from tests.benchmarks.test_accuracy import corpus_of
from tests.samples import chance_records, labelled_records


class Planted:
    """A channel that goes up and down over the layers, further at tokens of small letters."""

    def __init__(self, channel, small, other):
        self.channels = (channel,)
        self.heights = small, other

    def __call__(self, layer):
        small = torch.isin(layer.emitted, self.small_letters)
        height = torch.where(small, *self.heights)
        return (height * (-1) ** layer.layer + 0.1 * torch.sin(10 * layer.state.sum(dim=-1)))[None]


@pytest.fixture
def plant(lm, monkeypatch):
    """True answers are rough on ``step`` and smooth on ``turn``: they alone are made of small letters."""
    ids = [row for row in range(400) if lm.tokenizer.decode([row]).strip().islower()]
    monkeypatch.setattr(Planted, "small_letters", torch.tensor(ids), raising=False)
    planted = {"step": Planted("step", 2.0, 1.0), "turn": Planted("turn", 1.0, 2.0)}
    measures = [planted.get(measure.channels[0], measure) for measure in claim.MEASURES]
    monkeypatch.setattr(claim, "MEASURES", tuple(measures))


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(claim, "RESAMPLES", 300)


def results_of(*corpora):
    names, measured = [], {}
    for corpus in corpora:
        names, measured[corpus.name] = compare(corpus)
    return {"model": "tiny", "left_out": {}, **summarise(names, measured)}


def test_a_planted_difference_is_found_with_its_sign(lm, tmp_path, plant):
    results = results_of(corpus_of(lm, labelled_records(30, seed=1), tmp_path))
    found = results["claim"]
    for measure in ("Sq", "Sdq", "Sz", "Sp", "gradient.layers.rms"):
        assert found["step"][measure]["mean"]["low"] > 0.5, measure
        assert found["turn"][measure]["mean"]["high"] < -0.5, measure
        assert found["step"][measure]["holm"] < 1
        raw = results["corpora"]["planted"]["features"][f"step.{measure}"]
        assert raw == pytest.approx(found["step"][measure]["mean"])
    assert results["features"]["step.Sq"]["clearly_positive"] == 1
    assert results["features"]["turn.Sq"]["clearly_negative"] == 1


def test_labels_without_meaning_give_intervals_around_zero(lm, tmp_path, plant):
    intervals = []
    for seed in range(6):
        results = results_of(corpus_of(lm, chance_records(40, seed=seed), tmp_path, f"chance {seed}"))
        intervals += results["corpora"][f"chance {seed}"]["features"].values()
    held = np.mean([each["low"] <= 0 <= each["high"] for each in intervals])
    assert held > 0.85


def test_what_is_reported(lm, tmp_path):
    records = labelled_records(24, seed=2)
    records += [record | {"prompt": f"Alone {i}?"} for i, record in enumerate(records[:3])]
    results = results_of(corpus_of(lm, records, tmp_path))
    row = results["corpora"]["planted"]
    assert (row["n"], row["n_groups"], row["n_matched"]) == (48, 27, 24)
    channels = {name.split(".")[0] for name in row["features"]}
    assert channels == {"norm", "step", "turn", "lens", "entropy", *CHANNELS}
    assert {family_of(name) for name in row["features"]} == {"roughness", "peaks"}
    assert set(results["features"]) == set(row["features"])
    assert set(results["claim"]) == {*FAMILIES, ALL}
    assert set(results["claim"]["readings"]) == {*CLAIMED, ALL}
    assert set(results["features"]["lens.Sq"]) == {
        *("mean", "p", "holm", "positive", "negative", "clearly_positive", "clearly_negative")
    }
    signed = [row["features"][f"{channel}.{each}"]["value"] != 0 for channel in channels for each in CLAIMED]
    assert results["cells"]["n"] == sum(signed) < len(signed)  # tiny surfaces leave some measures at zero
    assert results["tokens"]["mean"] == row["tokens"]


def test_readings_never_saw_the_question_they_read(lm, tmp_path, monkeypatch):
    asked = []
    cross_fit = claim.cross_fit

    def watched(source, pairs, states, hallucinated, parts, measures, ridge, **rest):
        asked.extend(parts)
        return cross_fit(source, pairs, states, hallucinated, parts, measures, ridge, **rest)

    monkeypatch.setattr(claim, "cross_fit", watched)
    corpus = corpus_of(lm, labelled_records(12, seed=3), tmp_path)
    names, _ = surface_features(corpus)
    assert names == list(feature_names([*CHANNELS, "norm", "step", "turn", "lens", "entropy"]))
    (part,) = asked
    assert part.rows.tolist() == list(range(24))
    assert sorted(row for _, test in part.folds for row in test) == list(range(24))
    for train, test in part.folds:
        assert not set(corpus.labelled.groups[train]) & set(corpus.labelled.groups[test])


def test_surfaces_are_measured_once(lm, tmp_path, monkeypatch):
    corpus = corpus_of(lm, labelled_records(12, seed=3), tmp_path)
    names, features = surface_features(corpus)
    monkeypatch.setattr(Corpus, "states", None)
    again = surface_features(corpus)
    assert again[0] == names
    np.testing.assert_array_equal(again[1], features)


def random_differences(seed, n=30, shift=0.0):
    rng = np.random.default_rng(seed)
    names = [
        name
        for name in feature_names([channel for family in FAMILIES.values() for channel in family])
        if family_of(name) != "heights"
    ]
    labels = np.tile([False, True], n)
    x = rng.normal(size=(2 * n, len(names) + 1)) + shift * ~labels[:, None]
    groups = [str(row // 2) for row in range(2 * n)]
    found = matched_differences(x, labels, groups, resamples=6000, seed=seed)
    return [*names, "tokens"], found


def random_results(**differences):
    names = next(iter(differences.values()))[0]
    return {
        "model": "tiny",
        "left_out": {"single": {"n_groups": 9, "n_matched": 0}},
        **summarise(names, {name: found for name, (_, found) in differences.items()}),
    }


@pytest.fixture(scope="module")
def results():
    return random_results(
        animals=random_differences(0, shift=1.0),
        cities=random_differences(1, shift=1.0),
        few=random_differences(2, n=6),
        truthfulqa=random_differences(3, shift=-1.0),
    )


def test_corpora_given_away_or_small_are_shown_and_not_counted(results):
    assert results["counted"] == ["animals", "cities"]
    assert set(results["corpora"]) == {"animals", "cities", "few", "truthfulqa"}
    found = results["claim"]["norm"]["Sq"]
    mean = np.mean([results["corpora"][name]["claim"]["norm"]["Sq"]["value"] for name in results["counted"]])
    assert found["mean"]["value"] == pytest.approx(mean)
    assert found["clearly_positive"] == 2


def test_cells_are_counted_in_the_sense_of_the_claim(results):
    cells = results["cells"]
    signs = {measure: each["sign"] for measure, each in results["measures"].items()}
    agree = clearly = against = 0
    for name in results["counted"]:
        for feature, found in results["corpora"][name]["features"].items():
            sign = signs[feature.split(".", 1)[1]]
            agree += sign * found["value"] > 0
            clearly += min(sign * found["low"], sign * found["high"]) > 0
            against += max(sign * found["low"], sign * found["high"]) < 0
    assert (cells["agree"], cells["clearly_agree"], cells["clearly_disagree"]) == (agree, clearly, against)
    assert cells["n"] == 2 * len(CLAIMED) * 9
    assert against > 0  # the correlation length went up with all the others


def test_where_no_corpus_counts_all_are_summed_up():
    results = random_results(few=random_differences(0, n=6), truthfulqa=random_differences(1))
    assert results["counted"] == ["few", "truthfulqa"]


def test_table(results):
    lines = claim_table.claim_table(results).splitlines()
    assert lines[0] == "| | norm | step | turn | lens | entropy | readings | all channels |"
    assert len(lines) == 2 + len(CLAIMED) + 1 + 2
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines[2:-2]
    }
    assert list(rows)[-1] == "all measures"
    found = results["claim"]["turn"]["Sal"]
    assert rows["correlation length Sal"][2].strip("*").startswith(f"{found['mean']['value']:+.2f}")
    assert rows["correlation length Sal"][2].endswith("(0)")
    assert rows["rms height Sq"][-1].startswith("**+")
    assert rows["rms height Sq"][-1].endswith("** (2)")
    assert "Not counted: few, single, truthfulqa." in lines[-1]


def test_table_before_any_measurement(monkeypatch, tmp_path):
    monkeypatch.setattr(claim_table, "RESULTS", tmp_path)
    assert claim_table.load_claim("tiny") is None
    assert claim_table.claim_table(None) == "Not measured yet for this version."


def test_figure_shows_every_measure_and_corpus_and_clips_nothing(results):
    figure = draw_claim(results)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    panels = [axes for axes in figure.axes if axes.get_title("left")]
    assert len(panels) == len(FAMILIES)
    shown = [label.get_text() for label in panels[3].get_xticklabels()]
    assert shown == ["mean", "animals", "cities", "few*", "truthfulqa*"]
    assert len(panels[0].get_yticklabels()) == len(CLAIMED) + 3
    width, height = figure.get_size_inches() * figure.dpi
    box = figure.get_tightbbox(renderer).get_points() * figure.dpi
    assert box.min() >= 0
    assert (box[1] <= (width, height)).all()
    for axes in panels:
        (title,) = [each for each in axes.findobj(Text) if each.get_text() == axes.get_title("left")]
        assert title.get_window_extent(renderer).width <= axes.get_window_extent(renderer).width
    mesh = panels[0].collections[0]
    low, high = mesh.get_clim()
    assert low == -high
    row = [label.get_text() for label in panels[0].get_yticklabels()].index("rms height Sq")
    value = np.ma.filled(mesh.get_array(), np.nan)[row, 0]
    assert value == results["claim"]["norm"]["Sq"]["mean"]["value"]


@pytest.fixture
def data(tmp_path, lm, monkeypatch):
    monkeypatch.setattr(LanguageModel, "from_pretrained", lambda name: lm)
    monkeypatch.setattr(claim, "RESULTS", tmp_path / "results")
    data, own = tmp_path / "data", tmp_path / "own"
    alone = [record | {"prompt": f"{record['prompt']} {i}"} for i, record in enumerate(labelled_records(8))]
    for path, records in (
        (data / "places.jsonl", labelled_records(20, seed=1)),
        (data / "single.jsonl", alone),
        (own / "places.jsonl", chance_records(8, seed=2)),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return ["--data", str(data), "--on-policy", str(own), "--cache", str(tmp_path / "cache")]


def test_from_files_to_results(data, tmp_path, capsys):
    main(data)
    folder = tmp_path / "results"
    assert {path.name for path in folder.iterdir()} == {"tiny.json", "tiny.png"}
    found = json.loads((folder / "tiny.json").read_text(encoding="utf-8"))
    assert set(found["corpora"]) == {"places", "places (own)"}
    assert found["counted"] == ["places"]
    assert found["left_out"] == {"single": {"n_groups": 16, "n_matched": 0}}
    printed = capsys.readouterr().out
    assert "single: 0 of 16 questions have answers of both kinds, left out" in printed
    assert claim_table.claim_table(found).splitlines()[0] in printed
    (folder / "tiny.json").unlink()
    main([*data, "--only", "places"])
    assert not (folder / "tiny.json").exists()
    main([*data, "--only", "places", "--out", str(tmp_path / "elsewhere")])
    assert (tmp_path / "elsewhere" / "tiny.json").exists()


def test_nothing_to_compare(data):
    with pytest.raises(SystemExit, match="nothing to compare"):
        main([*data[:2], "--only", "single"])
