"""attncourse.data.text: a file, windows of a text, sentences in batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import refused

from attncourse.data.text import SentenceBatches, Windows, read_text


def pieces(windows) -> list[list[int]]:
    found = []
    for batch in windows:
        assert batch.padding_mask.all()
        assert batch.padding_mask.shape == batch.tokens.shape
        found += batch.tokens.tolist()
    return found


# Windows


@given(st.integers(2, 60), st.integers(1, 9), st.integers(1, 5))
def test_every_token_but_the_first_is_asked_for_once(count, length, size):
    if count <= length:
        return
    windows = Windows(range(count), length=length, batch_size=size)
    found = pieces(windows)
    asked = [token for piece in found for token in piece[1:]]
    assert asked == list(range(1, 1 + len(found) * length))
    assert count - 1 - len(asked) < length  # what is left makes no piece
    assert all(len(batch.tokens) <= size for batch in windows)


@given(st.integers(0, 2**32), st.integers(8, 60))
def test_shuffled_the_cuts_move_and_no_token_is_asked_for_twice(seed, count):
    generator = torch.Generator().manual_seed(seed)
    windows = Windows(range(count), length=7, batch_size=3, generator=generator)
    for _ in range(2):
        found = pieces(windows)
        assert found
        assert all(piece == list(range(piece[0], piece[0] + 8)) for piece in found)
        assert max(max(piece) for piece in found) < count
        asked = [token for piece in found for token in piece[1:]]
        assert len(asked) == len(set(asked))


def test_each_epoch_has_other_cuts_in_another_order():
    windows = Windows(range(500), length=7, batch_size=3, generator=torch.Generator())
    windows.generator.manual_seed(0)
    first, second = pieces(windows), pieces(windows)
    assert first != second
    windows.generator.manual_seed(0)
    assert pieces(windows) == first
    starts = {piece[0] % 7 for _ in range(40) for piece in pieces(windows)}
    assert starts == set(range(7))


@pytest.mark.usefixtures("own_errors")
def test_texts_that_cannot_be_cut_are_refused():
    with refused(ValueError, "ids", "at least 8", "got 7"):
        Windows(range(7), length=7, batch_size=3)
    with refused(ValueError, "ids", "at least 8", "got 0"):
        Windows([], length=7, batch_size=3)
    with refused(TypeError, "ids", "float32"):
        Windows([0.5] * 9, length=7, batch_size=3)
    with refused(TypeError, "ids", "(9, 2)"):
        Windows([[4, 5]] * 9, length=7, batch_size=3)
    for text in ("a text of letters", ["a", "text", "of", "so", "many", "words", "as", "this"]):
        with refused(TypeError, "ids", "encode"):
            Windows(text, length=7, batch_size=3)
    with refused(ValueError, "length", "positive", "0"):
        Windows(range(9), length=0, batch_size=3)
    with refused(TypeError, "batch_size", "integer", "str"):
        Windows(range(9), length=3, batch_size="3")


# Sentences

SENTENCES = [[4 + i] * (1 + i * 5 % 11) for i in range(23)]


@pytest.mark.parametrize("bucket", [1, 9, 100])
def test_every_sentence_comes_once_with_its_marks(bucket):
    batches = SentenceBatches(
        SENTENCES, batch_size=4, bucket=bucket, generator=torch.Generator().manual_seed(0)
    )
    seen = []
    for batch in batches:
        for row, mask in zip(batch.tokens.tolist(), batch.padding_mask.tolist(), strict=True):
            length = sum(mask)
            assert mask == [True] * length + [False] * (len(mask) - length)
            assert (row[0], row[length - 1]) == (1, 2)
            assert not any(row[length:])
            seen.append(row[1 : length - 1])
    assert sorted(seen) == sorted(SENTENCES)
    assert len(list(batches)) == len(batches) == 6


def test_without_a_generator_the_order_is_kept():
    batches = SentenceBatches(SENTENCES, batch_size=23)
    assert [row[1] for row in next(iter(batches)).tokens.tolist()] == [4 + i for i in range(23)]


def test_like_lengths_share_a_batch():
    def padding(bucket: int) -> int:
        batches = SentenceBatches(SENTENCES, batch_size=4, bucket=bucket)
        return sum(int((~batch.padding_mask).sum()) for batch in batches)

    assert padding(23) < padding(1) / 3


@pytest.mark.usefixtures("own_errors")
def test_sentences_that_cannot_be_cut_are_refused():
    with refused(ValueError, "sentences", "none"):
        SentenceBatches([], batch_size=2)
    with refused(ValueError, "batch_size", "positive", "0"):
        SentenceBatches(SENTENCES, batch_size=0)
    with refused(ValueError, "bucket", "positive", "0"):
        SentenceBatches(SENTENCES, batch_size=2, bucket=0)
    for sentence in ("a dog", ["a", "dog"]):
        with refused(TypeError, "token ids", "encode"):
            next(iter(SentenceBatches([sentence], batch_size=1)))


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_ids_and_sizes_may_be_numpys(own_errors, dtype):
    windows = Windows(np.arange(9, dtype=dtype), length=dtype(4), batch_size=dtype(2))
    assert pieces(windows) == [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8]]


# A file


def test_a_file_is_read_without_its_byte_order_mark(tmp_path):
    path = tmp_path / "story.txt"
    path.write_bytes("\ufeffÉtait une fois".encode())
    assert read_text(path) == "Était une fois"


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused_by_its_name(tmp_path, content):
    path = tmp_path / "story.txt"
    path.write_bytes(content)
    with refused(ValueError, "story.txt", "hold text", "empty"):
        read_text(path)


def test_another_encoding_is_refused_by_the_files_name(tmp_path):
    path = tmp_path / "story.txt"
    path.write_bytes("Était".encode("latin-1"))
    with refused(ValueError, "story.txt", "UTF-8"):
        read_text(path)
    with pytest.raises(FileNotFoundError, match="none"):
        read_text(tmp_path / "none.txt")
