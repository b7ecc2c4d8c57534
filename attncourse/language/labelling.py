"""From scores to tags that fit together (chapter 14): the best legal path, by Viterbi.

best[tag] = score[tag] + max over before of best[before], where before may stand before tag
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.checks import require_counted, require_floats, require_no_hole
from attncourse.data.bio import OUTSIDE, may_follow


def allowed_pairs(tags: Sequence[str]) -> Bool[Tensor, "tag tag"]:
    """Say which tag may follow which: (before, after), True where it may (chapter 14).

    Raises:
        TypeError, ValueError: if one is no BIO tag.

    Example:
        >>> allowed_pairs(["O", "B-place", "I-place"]).int().tolist()
        [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    """
    return torch.tensor([[may_follow(before, tag) for tag in tags] for before in tags])


def legal_tags(
    logits: Float[Tensor, "batch length tag"],
    tags: Sequence[str],
    *,
    padding_mask: Bool[Tensor, "batch length"] | None = None,
) -> list[list[str]]:
    r"""Give each text the likeliest tags that fit together (chapter 14, eq. 14.2).

    $$\hat{y} = \arg\max_{y \text{ legal}} \sum_{i=1}^{n} \ln p(y_i \mid x)$$

    Args:
        logits: (batch, length, tag), a model's scores.
        tags: the BIO tags that the scores are of.
        padding_mask: (batch, length), True at real words, which stand first.

    Returns:
        For each text a tag a real word, in which I-kind follows only B-kind or I-kind. Where the
        likeliest tag of each word makes a legal row, it is that one.

    Raises:
        TypeError: if the logits are not floating point, or the mask not boolean.
        ValueError: if shapes disagree, a tag is no BIO tag or none may begin a text, padding stands
            before a real word, or a logit of a real word is not finite.

    Source: Viterbi 1967. The transitions are allowed or not, and cost nothing; in a conditional
    random field (Lample et al. 2016, section 2) they are learned.

    Example:
        >>> logits = torch.tensor([[[2.0, 1.5, 0.0], [1.0, 0.0, 2.0]]])  # O, then I-place
        >>> legal_tags(logits, ["O", "B-place", "I-place"])
        [['B-place', 'I-place']]
    """
    require_floats("logits", logits, ("batch", "length", "tag"))
    batch, length, count = logits.shape
    if len(tags) != count:
        raise ValueError(f"logits and tags disagree in the number of tags: {count} and {len(tags)}")
    allowed = allowed_pairs(tags)
    begins = torch.tensor([may_follow(OUTSIDE, tag) for tag in tags])
    if not begins.any():
        raise ValueError(f"tags must hold one that may begin a text, got {list(tags)}")
    real = torch.ones(batch, length, dtype=torch.bool)
    if padding_mask is not None:
        require_counted("padding_mask", padding_mask, (batch, length), "(batch, length)")
        require_no_hole(padding_mask=padding_mask)
        real = padding_mask.cpu()
    scores = logits.detach().cpu().double().log_softmax(-1)
    if not scores[real].isfinite().all():
        raise ValueError("logits must be finite at real words")
    barred = torch.zeros(count, count, dtype=torch.float64).masked_fill(~allowed, -torch.inf)
    best = scores.new_zeros(batch, count).masked_fill(~begins, -torch.inf)  # (batch, tag)
    came = []
    for place in range(length):
        if place:
            totals, before = (best[:, :, None] + barred).max(1)  # (batch, tag)
        else:
            totals, before = best, torch.arange(count).expand(batch, count)
        going = real[:, place, None]  # past its end a text keeps what it has
        best = torch.where(going, totals + scores[:, place], best)
        came.append(torch.where(going, before, torch.arange(count)))
    return [_walk_back(row, came, best[row], int(real[row].sum()), tags) for row in range(batch)]


def _walk_back(
    row: int, came: list[Tensor], best: Tensor, length: int, tags: Sequence[str]
) -> list[str]:
    """Follow a text's best path from its last word to its first."""
    tag, path = int(best.argmax()), []
    for place in reversed(range(length)):
        path.append(tags[tag])
        tag = int(came[place][row, tag])
    return path[::-1]
