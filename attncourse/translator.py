"""From a text to its translation: a trained model with its two vocabularies (chapters 04, 05)."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attncourse.attention import AttentionLayer, record_attention
from attncourse.checks import require_integer
from attncourse.data.batches import pad
from attncourse.data.vocabulary import (
    BOS,
    EOS,
    PAD,
    UNK,
    BaseVocabulary,
    join_words,
    split_words,
)
from attncourse.decoding import Barring, beam_search, greedy
from attncourse.masks import padding_mask
from attncourse.runtime import device_of, evaluating

BEAM = {"beam_size": 5, "length_penalty": 1.0}  # how a text is translated unless told otherwise


@dataclass(frozen=True)
class Translation:
    """A text in the other language, and how it came about (chapter 12).

    Attributes:
        text: the translation, as people write.
        source_tokens: what the model read.
        target_tokens: what it wrote, `<eos>` included if it came to an end.
        maps: the weights of each layer that attends, by its name: (heads, query, key). Row i of a
            decoder's layer was computed to write target token i. Columns are source tokens, but
            those of the decoder's self-attention: `<bos>`, then the target tokens.
        unfamiliar: the words of the source that the vocabulary of the model does not hold whole.
            Of a text like those of the training they are few. Where they are many, the
            translation is a guess, however fluent; where there are none, it may still be wrong.
    """

    text: str
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    maps: dict[str, Tensor]
    unfamiliar: tuple[str, ...]


class Translator:
    """Translate with a model that was trained on two vocabularies (chapter 04).

    Called, it takes texts as people write them and gives back such texts; `words` takes and gives
    words, and `explain` shows how a translation came about. It never writes `<unk>`, with which no
    reader could do anything: where the model finds it likeliest, the next likeliest word stands.

    Args:
        model: has `start` and `step`, as `attncourse.recurrent.EncoderDecoder`.
        source: the vocabulary that the model reads.
        target: the vocabulary that it writes.
        prepare: makes of a text what the model was trained to read: words with spaces between.
        finish: makes a text of the words that it wrote.

    Example:
        >>> from attncourse.data.vocabulary import Vocabulary
        >>> from attncourse.recurrent import EncoderDecoder, GRUDecoder, GRUEncoder
        >>> source, target = Vocabulary(["dogs", "sleep"]), Vocabulary(["chiens", "dorment"])
        >>> encoder = GRUEncoder(len(source), embed_dim=5, hidden_dim=7)
        >>> decoder = GRUDecoder(len(target), embed_dim=5, hidden_dim=7, memory_dim=7)
        >>> translate = Translator(EncoderDecoder(encoder, decoder), source, target)
        >>> [len(words) <= 12 for words in translate.words(["dogs sleep", "sleep"], max_length=12)]
        [True, True]
    """

    def __init__(
        self,
        model: nn.Module,
        source: BaseVocabulary,
        target: BaseVocabulary,
        *,
        prepare: Callable[[str], str] = split_words,
        finish: Callable[[list[str]], str] = join_words,
    ):
        self.model = model
        self.source = source
        self.target = target
        self.prepare = prepare
        self.finish = finish

    def __call__(self, texts: Iterable[str], **options: Any) -> list[str]:
        """Translate some texts.

        Args:
            texts: each a sentence as people write it.
            options: those of `words`; here the default is a beam of five, its length penalty 1.

        Returns:
            The translations as people write, in the order of `texts`. That of nothing is empty.

        Raises:
            TypeError: if `texts` is one text or holds something else, or a number is no integer.
            ValueError: if a number is not positive, or the model has no room for a text.

        Example:
            >>> from attncourse.recipes import shipped
            >>> shipped().translator(["A dog runs on the beach."])
            ['Un chien court sur la plage.']
        """
        texts = _several("texts", texts)
        for number, text in enumerate(texts):
            _require_text("texts", text, f" as number {number}")
        prepared = [self.prepare(text) for text in texts]
        return [self._finished(ids) for ids in self._write("texts", prepared, **(BEAM | options))]

    def words(
        self,
        sentences: Iterable[str | Sequence[str]],
        *,
        beam_size: int = 1,
        length_penalty: float = 0.0,
        max_length: int | None = None,
        batch: int = 250,
    ) -> list[list[str]]:
        """Translate some sentences that are cut into words already, as the corpora are.

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
        sentences = _several("sentences", sentences)
        search = {"beam_size": beam_size, "length_penalty": length_penalty}
        written = self._write("sentences", sentences, **search, max_length=max_length, batch=batch)
        return [self.target.decode(ids).split() for ids in written]

    def explain(self, text: str, **options: Any) -> Translation:
        """Translate one text, and show what was read and written and where the model looked.

        Args:
            text: a sentence as people write it.
            options: as when called, without `batch`.

        Returns:
            The translation with its tokens and its maps of attention; none from a model without.

        Raises:
            TypeError, ValueError: as when called.

        Example:
            >>> from attncourse.recipes import shipped
            >>> seen = shipped().translator.explain("A dog runs.")
            >>> seen.text, seen.source_tokens
            ('Un chien court.', ('▁a', '▁dog', '▁runs', '▁', '.'))
            >>> seen.maps["decoder.layers.3.cross_attention"].shape  # (heads, target, source)
            torch.Size([4, 6, 5])
        """
        _require_text("text", text)
        prepared = self.prepare(text)
        (written,) = self._write("text", [prepared], **(BEAM | options))
        return Translation(
            text=self._finished(written),
            source_tokens=tuple(self.source.pieces(prepared)),
            target_tokens=tuple(self.target.tokens[i] for i in written),
            maps=self._maps(self.source.encode(prepared), written),
            unfamiliar=self._unfamiliar(prepared),
        )

    def _write(
        self,
        name: str,
        sentences: list[str | Sequence[str]],
        *,
        beam_size: int,
        length_penalty: float,
        max_length: int | None = None,
        batch: int = 250,
    ) -> list[list[int]]:
        """Write the numbers of each translation, in the order of the sentences, which the caller
        knows by another name."""
        require_integer("beam_size", beam_size, least=1)
        require_integer("batch", batch, least=1)
        if max_length is not None:
            require_integer("max_length", max_length, least=1)
        read = [self.source.encode(sentence) for sentence in sentences]
        self._require_room(name, read)
        # Sentences of like length together: little padding, and they end at about the same time.
        # One without words stays so: asked all the same, a model makes something up.
        order = sorted((i for i in range(len(read)) if read[i]), key=lambda i: len(read[i]))
        written: list[list[int]] = [[] for _ in read]
        for first in range(0, len(order), batch):
            chosen = order[first : first + batch]
            found = self._search([read[i] for i in chosen], beam_size, length_penalty, max_length)
            for i, ids in zip(chosen, found, strict=True):
                written[i] = ids
        return written

    def _search(
        self,
        ids: list[list[int]],
        beam_size: int,
        length_penalty: float,
        max_length: int | None,
    ) -> list[list[int]]:
        """Let the model write a translation of each sentence: `<eos>` at its end, no padding."""
        device = device_of(self.model)
        source, lengths = pad(ids)
        source, mask = source.to(device), padding_mask(lengths, source.shape[1]).to(device)
        limit = 2 * source.shape[1] + 10 if max_length is None else max_length
        marks = {"bos": BOS, "eos": EOS, "pad": PAD, "max_length": min(limit, self._room())}
        model = Barring(self.model, [UNK])
        if beam_size == 1:
            found = greedy(model, source, mask, **marks)
        else:
            beam = {"beam_size": beam_size, "length_penalty": length_penalty}
            found = beam_search(model, source, mask, **marks, **beam)
        return [
            tokens[:length]
            for tokens, length in zip(found.tokens.tolist(), found.lengths.tolist(), strict=True)
        ]

    def _finished(self, written: list[int]) -> str:
        return self.finish(self.target.decode(written).split())

    def _maps(self, read: list[int], written: list[int]) -> dict[str, Tensor]:
        """Let the model write the same once more, in one pass that is recorded."""
        if not written or not any(isinstance(m, AttentionLayer) for m in self.model.modules()):
            return {}
        device = device_of(self.model)
        source = torch.tensor([read], device=device)
        target = torch.tensor([[BOS, *written[:-1]]], device=device)
        with torch.no_grad(), evaluating(self.model), record_attention(self.model) as maps:
            self.model(source, target)
        return {name: weights[0].cpu() for name, weights in maps.items()}

    def _unfamiliar(self, prepared: str) -> tuple[str, ...]:
        """Find the words that are not held, or of which a part between marks is not."""
        return tuple(
            part
            for word in prepared.split()
            if not self._holds(word)
            for part in self._parts(word)
            if not self._holds(part)
        )

    def _parts(self, word: str) -> list[str]:
        """The parts of a word that are read one by one: a mark parts a word in byte pairs."""
        if len(self.source.pieces(word)) > 1:
            return re.findall(r"\w+", word)
        return [word] if re.search(r"\w", word) else []

    def _holds(self, word: str) -> bool:
        return len(self.source.pieces(word)) == 1 and UNK not in self.source.encode(word)

    def _require_room(self, name: str, ids: list[list[int]]) -> None:
        room = self._room()
        for number, sentence in enumerate(ids):
            if len(sentence) > room:
                which = f" as number {number}" if len(ids) > 1 else ""
                raise ValueError(
                    f"{name} must fit the model, got {len(sentence)} tokens{which}, but the model "
                    f"has room for {room}: cut it in two"
                )

    def _room(self) -> int:
        """How many tokens a sentence may have: a Transformer's positions have an end."""
        return getattr(getattr(self.model, "config", None), "max_len", sys.maxsize)


def _require_text(name: str, text: object, which: str = "") -> None:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be text, got {text!r}{which}")


def _several(name: str, texts: object) -> list:
    """Give the texts as a list, also of a file, say, which can be read only once.

    One text is refused: its letters would count as many.
    """
    if isinstance(texts, str):
        raise TypeError(f"{name} must be several, got one text: put it in []")
    if not isinstance(texts, Iterable):
        raise TypeError(f"{name} must be several, got {texts!r}")
    return list(texts)
