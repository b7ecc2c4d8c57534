"""attncourse.data.digits: real digits, split by picture."""

from __future__ import annotations

import sys

import pytest
import torch
from support import refused

from attncourse.data.digits import load_digits


def test_the_splits_have_every_digit_and_no_picture_in_common():
    train, test = load_digits("train"), load_digits("test")
    assert (len(train), len(test)) == (1198, 599)
    for digits in (train, test):
        assert digits.images.shape == (len(digits), 8, 8)
        assert digits.images.dtype == torch.float32
        # About a tenth of each digit.
        shares = torch.bincount(digits.labels, minlength=10) / len(digits)
        assert shares.shape == (10,)
        assert (shares - 0.1).abs().max() < 0.02
    seen = {tuple(image) for image in train.images.flatten(1).tolist()}
    assert not any(tuple(image) in seen for image in test.images.flatten(1).tolist())


def test_the_pictures_are_scikit_learns_with_ink_from_nought_to_one():
    from sklearn.datasets import load_digits as theirs

    images, labels = theirs(return_X_y=True)
    test = load_digits("test")
    torch.testing.assert_close(test.images[1], torch.tensor(images[5]).view(8, 8).float() / 16)
    assert test.labels[:3].tolist() == labels[[2, 5, 8]].tolist()
    assert test.images.min() == 0
    assert test.images.max() == 1


def test_another_split_is_refused():
    with refused(ValueError, "split", "'validation'"):
        load_digits("validation")


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        load_digits("test")
