"""Write on from a text (chapter 18): a causal language model with its vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from attncourse.checks import require_integer, require_several
from attncourse.data.batches import pad
from attncourse.data.vocabulary import BOS, EOS, PAD, UNK, BaseVocabulary
from attncourse.decoding.barring import Barring
from attncourse.decoding.search import Decoded
from attncourse.decoding.writing import greedy
from attncourse.masks import padding_mask
from attncourse.runtime import device_of


class TextWriter:
    """Continue texts with a causal language model (chapter 18).

    It never writes `<unk>`: where the model finds it likeliest, the next likeliest token stands.

    Args:
        model: as `CausalLanguageModel`, with `start`, `step` and a `config` that has `max_len`.
        vocabulary: what its ids stand for.
        bos: the id of a begin mark that is read before each prompt; None for a model that was
            trained without one.
        eos: the id of the end mark, None if there is none.
        prepare: makes of a text what the model was trained to read, such as `split_words`.

    Example:
        >>> import torch
        >>> from attncourse.data.vocabulary import Vocabulary
        >>> from attncourse.decoding import sample
        >>> from attncourse.language import CausalLanguageModel, LanguageModelConfig
        >>> vocabulary = Vocabulary(["a", "dog", "runs"])
        >>> sizes = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 17, "num_layers": 1}
        >>> model = CausalLanguageModel(LanguageModelConfig(len(vocabulary), **sizes))
        >>> write = TextWriter(model, vocabulary)
        >>> texts = write(["a dog", "a"], search=sample, temperature=0.8, max_length=4)
        >>> [text.startswith("a") for text in texts]
        [True, True]
    """

    def __init__(
        self,
        model: nn.Module,
        vocabulary: BaseVocabulary,
        *,
        bos: int | None = None,
        eos: int | None = EOS,
        prepare: Callable[[str], str] = str,
    ):
        self.model = model
        self.vocabulary = vocabulary
        self.bos = bos
        self.eos = eos
        self.prepare = prepare

    def __call__(
        self,
        prompts: Iterable[str],
        *,
        search: Callable[..., Decoded] = greedy,
        max_length: int | None = None,
        **options: Any,
    ) -> list[str]:
        """Write on from some texts, all at once.

        Args:
            prompts: the texts that are continued.
            search: `greedy`, `sample` or `beam_search`.
            max_length: tokens after which a continuation is cut; by default as many as the model
                has room for behind the longest prompt.
            options: the search's own, such as `temperature`.

        Returns:
            Each prompt with its continuation, in their order.

        Raises:
            TypeError: if `prompts` is one text or holds something else, or `max_length` is no
                integer; as the search.
            ValueError: if a prompt is empty or holds unknown signs, or prompt and `max_length`
                together exceed the model's room; as the search.
        """
        require_several("prompts", prompts, "texts")
        ids = [self._encode(number, text) for number, text in enumerate(prompts)]
        if not ids:
            return []
        if max_length is not None:
            require_integer("max_length", max_length, least=1)
        max_length = self._within_room(max(map(len, ids)), max_length)
        tokens, lengths = pad(ids)
        device = device_of(self.model)
        found = search(
            Barring(self.model, [PAD, BOS, UNK]),
            prompt=tokens.to(device),
            prompt_mask=padding_mask(lengths).to(device),
            bos=self.bos,
            eos=self.eos,
            pad=PAD,
            max_length=max_length,
            **options,
        )
        written = zip(ids, found.tokens.tolist(), found.lengths.tolist(), strict=True)
        return [self.vocabulary.decode([*begun, *new[:length]]) for begun, new, length in written]

    def _encode(self, number: int, text: object) -> list[int]:
        """Give a prompt's ids, or refuse it."""
        if not isinstance(text, str):
            raise TypeError(f"prompts must hold texts, got {text!r} as number {number}")
        prepared = self.prepare(text)
        ids = self.vocabulary.encode(prepared)
        if not ids:
            raise ValueError(
                f"prompts must hold at least one token each, got {text!r} as number {number}"
            )
        if UNK in ids:
            unknown = [word for word in prepared.split() if UNK in self.vocabulary.encode(word)]
            raise ValueError(
                "prompts must hold what the vocabulary knows, but it does not know "
                f"{', '.join(map(repr, unknown))} in number {number}"
            )
        return ids

    def _within_room(self, longest: int, max_length: int | None) -> int:
        """Give the length that is asked for, or all the room there is, or refuse it."""
        read = longest + (self.bos is not None)
        room = self.model.config.max_len - read + 1  # what is written last is not read again
        if room < 1:
            raise ValueError(
                f"prompts must fit the model, got one of {read} tokens, but the model has room for "
                f"{self.model.config.max_len}"
            )
        if max_length is None:
            return room
        if max_length > room:
            raise ValueError(
                f"max_length must be at most {room}, what the model has room for behind a prompt "
                f"of {read} tokens, got {max_length}"
            )
        return max_length
