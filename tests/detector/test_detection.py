import json
import time

import numpy as np
import pytest

from halluscope.detector.detection import Detection, prompt_text, split_sentences

TEXT = "It is a city, a river. Really?\nXQZ 77, QZZ 83."


@pytest.fixture(scope="module")
def detection(detector):
    return detector.detect("What is it?", TEXT)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('He said "Hi." Then he left.', ['He said "Hi."', "Then he left."]),
        ("It costs 3.14 francs (about.) Yes", ["It costs 3.14 francs (about.)", "Yes"]),
        ("Wait... what?! No…", ["Wait...", "what?!", "No…"]),
        ("a list\n\n- one\r\n- two\n", ["a list", "- one", "- two"]),
        ("东京是首都。真的吗？「好。」他说。", ["东京是首都。", "真的吗？", "「好。」", "他说。"]),
        ("هل هذا صحيح؟ نعم.", ["هل هذا صحيح؟", "نعم."]),
        ("यह सच है। हाँ।", ["यह सच है।", "हाँ।"]),
        ("Это правда. Да!", ["Это правда.", "Да!"]),
        ("。。。", ["。。。"]),
        ("   ", []),
        ("", []),
    ],
)
def test_sentences(text, sentences):
    assert [text[a:b] for a, b in split_sentences(text)] == sentences


@pytest.mark.parametrize("text", ["." * 100_000 + "x", "." + ")" * 100_000, " " * 100_000, "。)" * 50_000])
def test_splitting_takes_linear_time(text):
    start = time.perf_counter()
    split_sentences(text)
    assert time.perf_counter() - start < 2


def test_tokens_cover_the_answer(detection):
    assert "".join(token.text for token in detection.tokens) == TEXT
    for token in detection.tokens:
        assert TEXT[token.start : token.end] == token.text
        assert 0 <= token.probability <= 1
    assert len(detection.tokens) == detection.surface.shape[2]


def test_spans_are_the_sentences(detection):
    assert [span.text for span in detection.spans] == ["It is a city, a river.", "Really?", "XQZ 77, QZZ 83."]
    for span in detection.spans:
        assert TEXT[span.start : span.end] == span.text
    first, _, last = detection.spans
    assert first.probability < last.probability  # the detector was trained on such answers


def test_one_sentence_is_the_answer(detector):
    detection = detector.detect("What is it?", "It is a city.")
    (span,) = detection.spans
    assert span.probability == pytest.approx(detection.probability, abs=1e-6)


def test_an_answer_without_text_has_no_sentences(detector):
    end = detector.lm.tokenizer.eos_token_id
    detection = detector.detect("What is it?", [end])
    assert detection.spans == []
    assert detection.to_dict()["spans"] == []


def test_features_are_named(detection, detector):
    assert list(detection.features) == list(detector.feature_names_in_)
    assert all(isinstance(value, float) for value in detection.features.values())


def test_json(detection):
    record = json.loads(json.dumps(detection.to_dict(), allow_nan=False))
    assert set(record) == {
        *(
            "probability",
            "hallucinated",
            "threshold",
            "answer",
            "tokens",
            "spans",
            "model",
            "detector",
            "seconds",
        )
    }
    assert record["hallucinated"] is (record["probability"] >= record["threshold"])
    assert set(record["tokens"][0]) == {"text", "start", "end", "probability"}


def test_numpy_thresholds_make_json_too(detection):
    settings = {field: getattr(detection, field) for field in detection.__dataclass_fields__}
    settings["threshold"] = np.float64(0.5)
    assert json.dumps(Detection(**settings).to_dict())


def test_repr_says_the_verdict(detection):
    assert ("not hallucinated" in repr(detection)) is not detection.hallucinated
    assert f"{detection.probability:.3f}" in repr(detection)


def test_plot_is_a_figure_of_the_caller_s(detection):
    figure = detection.plot()
    figure.suptitle("mine")
    assert figure.axes


def test_prompt_text():
    assert prompt_text("Who?") == "Who?"
    chat = [
        {"role": "system", "content": "Be."},
        {"role": "user", "content": [{"type": "text", "text": "Who?"}]},
    ]
    assert prompt_text(chat) == "Who?"
    assert prompt_text([1, 2, 3]) == ""
