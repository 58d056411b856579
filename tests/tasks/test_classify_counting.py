"""Baselines that are counted learn from some of many examples, and it is said."""

from dataclasses import replace

import numpy as np
import pytest

from elman.tasks.classify import Classifier
from elman.tasks.classifying import counting, page
from elman.tasks.classifying.evaluation import Evaluation
from elman.tasks.classifying.learning import divided

DRAW = np.random.Generator(np.random.Philox(14))
WORDS = ["fine", "dull", "film", "plot", "the", "a", "cast", "end"]
TEXTS = [" ".join(DRAW.choice(WORDS, 9)) for _ in range(150)]
TABLE = {"text": TEXTS, "label": [["no", "yes"]["fine" in text] for text in TEXTS]}
SMALL = {"hidden": 5, "embedding": 5, "epochs": 1, "no_feedforward": True}
SAID = "The bag of words learnt from 60 of the {} examples to train on, which the seed drew."


@pytest.fixture
def sixty(monkeypatch):
    """So many are enough."""
    monkeypatch.setattr(counting, "MOST_EXAMPLES", 60)


def parts():
    model = Classifier(**SMALL)
    return divided(model.read(TABLE), model.settings, 0)


def test_the_seed_draws_what_is_counted(sixty):
    data = parts()
    found, flags = counting.learnt_from(data)
    assert len(found) == len(flags) == 60
    places = [int(name) for name in found.names]
    assert places == sorted(set(places))
    assert set(places) < {int(name) for name in data.train.examples.names}
    assert [TEXTS[k] for k in places] == list(found.inputs)
    assert [data.reader.classes[k] for k in flags.argmax(1)] == [TABLE["label"][k] for k in places]
    assert list(counting.learnt_from(data)[0].names) == list(found.names)
    assert list(counting.learnt_from(replace(data, seed=1))[0].names) != list(found.names)
    lexicon, _, rows = counting.bags(data, found)
    own = {word for text in found.inputs for word in text.split()}
    assert set(lexicon.words) == own
    assert [sum(len(one.offsets) for one in part.blocks) for part in rows] == [
        60,
        len(data.validation.flags),
        len(data.test.flags),
    ]


def test_of_few_all_are_counted_and_nothing_is_said():
    data = parts()
    found, flags = counting.learnt_from(data)
    assert list(found.names) == list(data.train.examples.names)
    assert np.array_equal(flags, data.train.flags.whole())
    assert counting.said_of(data) == ""


def test_the_verdict_and_the_report_say_so(sixty, tmp_path):
    model = Classifier(**SMALL).fit(TABLE)
    found = model.evaluate()
    said = SAID.format(len(parts().train.flags))
    assert found.verdict().endswith(f". {said}")
    assert Evaluation.from_dict(found.as_dict()) == found
    report = page.build("t", model.settings, model.fitted, tmp_path / "none", "", "")
    assert said in report


def test_a_verdict_on_all_says_nothing_and_is_stored_as_before():
    found = Classifier(**SMALL).fit(TABLE).evaluate()
    assert "learnt from" not in found.verdict()
    assert "drawn" not in found.as_dict()
    assert Evaluation.from_dict(found.as_dict()) == found
