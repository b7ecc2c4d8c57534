"""From sentences to sentences: a trained model with its two vocabularies (chapters 04 and 05)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from attncourse.checks import require_integer
from attncourse.data.batches import pad
from attncourse.data.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from attncourse.decoding import beam_search, greedy
from attncourse.masks import padding_mask
from attncourse.runtime import device_of


class Translator:
    """Translate sentences with a model that was trained on two vocabularies (chapter 04).

    It never writes `<unk>`, with which no reader could do anything: where the model finds it
    likeliest, the next likeliest word stands.

    Args:
        model: has `start` and `step`, as `attncourse.recurrent.EncoderDecoder`.
        source: the vocabulary that the model reads.
        target: the vocabulary that it writes.

    Example:
        >>> from attncourse.recurrent import EncoderDecoder, GRUDecoder, GRUEncoder
        >>> source, target = Vocabulary(["dogs", "sleep"]), Vocabulary(["chiens", "dorment"])
        >>> encoder = GRUEncoder(len(source), embed_dim=5, hidden_dim=7)
        >>> decoder = GRUDecoder(len(target), embed_dim=5, hidden_dim=7, memory_dim=7)
        >>> translate = Translator(EncoderDecoder(encoder, decoder), source, target)
        >>> [len(words) <= 12 for words in translate(["dogs sleep", "sleep"], max_length=12)]
        [True, True]
    """

    def __init__(self, model: nn.Module, source: Vocabulary, target: Vocabulary):
        self.model = model
        self.source = source
        self.target = target

    def __call__(
        self,
        sentences: Sequence[str | Sequence[str]],
        *,
        beam_size: int = 1,
        length_penalty: float = 0.0,
        max_length: int | None = None,
        batch: int = 250,
    ) -> list[list[str]]:
        """Translate some sentences.

        Args:
            sentences: each a text whose words are set apart by spaces, or its words.
            beam_size: 1 for greedy search, else see `attncourse.decoding.beam_search`.
            length_penalty: of the beam search.
            max_length: words or parts of words after which a translation is cut; by default twice
                as many as the longest source of its batch has, and ten, or what the model has
                room for.
            batch: how many sentences are translated at once.

        Returns:
            The words of each translation, in the order of `sentences`. An empty one has none.

        Raises:
            TypeError: if `sentences` is one text, or a number is not an integer.
            ValueError: if a number is not positive, or the model has no room for a sentence.
        """
        if isinstance(sentences, str):
            raise TypeError(
                "sentences must hold texts or lists of words, got one text: put it in []"
            )
        require_integer("beam_size", beam_size, least=1)
        require_integer("batch", batch, least=1)
        ids = [self.source.encode(sentence) for sentence in sentences]
        room = self._room()
        for number, sentence in enumerate(ids):
            if len(sentence) > room:
                which = f", number {number}" if len(ids) > 1 else ""
                raise ValueError(
                    f"sentences hold one of {len(sentence)} tokens{which}, but the model has room "
                    f"for {room}: cut it in two"
                )
        # Sentences of like length together: little padding, and they end at about the same time.
        # One without words stays so: asked all the same, a model makes something up.
        order = sorted((i for i in range(len(ids)) if ids[i]), key=lambda i: len(ids[i]))
        written: list[list[str]] = [[] for _ in ids]
        for first in range(0, len(order), batch):
            chosen = order[first : first + batch]
            source, lengths = pad([ids[i] for i in chosen])
            limit = 2 * source.shape[1] + 10 if max_length is None else max_length
            limit = min(limit, room)
            device = device_of(self.model)
            source, mask = source.to(device), padding_mask(lengths, source.shape[1]).to(device)
            marks = {"bos": BOS, "eos": EOS, "pad": PAD, "max_length": limit}
            model = _WithoutUnknown(self.model)
            if beam_size == 1:
                found = greedy(model, source, mask, **marks)
            else:
                beam = {"beam_size": beam_size, "length_penalty": length_penalty}
                found = beam_search(model, source, mask, **marks, **beam)
            for i, tokens in zip(chosen, found.tokens.tolist(), strict=True):
                written[i] = self.target.decode(tokens).split()
        return written

    def _room(self) -> int:
        """How many tokens a sentence may have: a Transformer's positions have an end."""
        return getattr(getattr(self.model, "config", None), "max_len", sys.maxsize)


class _WithoutUnknown(nn.Module):
    """A model to which `<unk>` never occurs."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def start(self, source: Tensor, source_mask: Tensor | None) -> Any:
        return self.model.start(source, source_mask)

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = self.model.step(tokens, state)
        logits = logits.clone()  # the model may still need its own
        logits[:, UNK] -= torch.inf  # a NaN stays one
        return logits, state
