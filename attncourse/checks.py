"""What arguments must be: every refusal that more than one module makes (every chapter).

A check changes nothing. It raises `TypeError` or `ValueError` with the argument's name, what came
and what was wanted. Types and shapes are asked always; values only where there are any, see
`values_unknown`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

INTEGERS = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
META = torch.device("meta")
# What runs in how many bits; float32 means that nothing is lowered.
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def values_unknown(*tensors: Tensor) -> bool:
    """Whether Python cannot ask what these tensors hold, so that no check of values may be made.

    That is so while `torch.compile` or `torch.export` traces, inside `torch.func.vmap` and `grad`,
    and for meta and fake tensors, which have a shape and nothing in it.
    """
    if torch.compiler.is_compiling():
        return True
    try:
        return any(tensor.untyped_storage().device == META for tensor in tensors)
    except NotImplementedError:  # what a transform of torch.func wraps has no storage of its own
        return True


def is_autocast(device: torch.device) -> bool:
    """Whether autocast is on for a device, which may be one that knows none, as "meta"."""
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


# Options


def require_integer(name: str, value: object, least: int | None = None) -> None:
    """Refuse, by its name, what is no integer or less than `least` (0 or 1)."""
    # A length is a symbol while something is exported for any length.
    if isinstance(value, bool) or not isinstance(value, (int, np.integer, torch.SymInt)):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    if least is not None and value < least:
        raise ValueError(
            f"{name} must {'be positive' if least else 'not be negative'}, got {value}"
        )


def require_number(name: str, value: object) -> None:
    """Refuse, by its name, what is no number that a tensor can be multiplied with."""
    numbers = int, float, np.integer, np.floating
    if isinstance(value, bool) or not isinstance(value, numbers):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")


def require_heads(embed_dim: int, num_heads: int) -> None:
    """Refuse a width that cannot be divided among the heads."""
    require_integer("embed_dim", embed_dim, least=1)
    require_integer("num_heads", num_heads, least=1)
    if embed_dim % num_heads:
        raise ValueError(f"num_heads must divide embed_dim, got {num_heads} and {embed_dim}")


def require_bool(name: str, value: object) -> None:
    """Refuse, by its name, what is neither True nor False: "no" would count as True."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def require_dropout(share: float) -> None:
    """Refuse a share that is not in [0, 1)."""
    require_number("dropout", share)
    if not 0 <= share < 1:
        raise ValueError(f"dropout must lie in [0, 1), got {share}")


def require_smoothing(label_smoothing: float) -> None:
    """Refuse what is no share."""
    require_number("label_smoothing", label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must lie in [0, 1], got {label_smoothing}")


def require_precision(precision: str) -> None:
    """Refuse what is none of the three precisions."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")


# Query, key, value and mask


def require_pair(query: Tensor, key: Tensor) -> None:
    """Refuse a query and a key that are not (..., length, width) with equal leading axes."""
    for name, tensor in (("query", query), ("key", key)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
        if not tensor.is_floating_point():
            raise TypeError(f"{name} must be floating point, got {tensor.dtype}")
        if tensor.dim() < 2:
            raise ValueError(
                f"{name} must be (..., length, width), got shape {tuple(tensor.shape)}"
            )
    if query.shape != key.shape and query.shape[:-2] != key.shape[:-2]:  # to cut a shape takes time
        raise ValueError(
            "query and key disagree in their leading axes: "
            f"{tuple(query.shape)} and {tuple(key.shape)}"
        )
    require_same_kind("key", query, key)


def require_value(query: Tensor, key: Tensor, value: Tensor) -> None:
    """Refuse a value that is not (..., key, width), one for each key."""
    if not isinstance(value, Tensor):
        raise TypeError(f"value must be a tensor, got {type(value).__name__}")
    if value.dim() < 2:
        raise ValueError(f"value must be (..., length, width), got shape {tuple(value.shape)}")
    if value.shape != key.shape and value.shape[:-1] != key.shape[:-1]:
        if value.shape[:-2] == key.shape[:-2]:
            lengths = f"{key.shape[-2]} and {value.shape[-2]}"
            raise ValueError(f"key and value disagree in length: {lengths}")
        raise ValueError(
            "key and value disagree in their leading axes: "
            f"{tuple(key.shape)} and {tuple(value.shape)}"
        )
    require_same_kind("value", query, value)


def require_same_kind(name: str, query: Tensor, other: Tensor, of: str = "query") -> None:
    """Refuse a tensor of another dtype or device than that of the query, or of `of`."""
    # Autocast brings the smaller dtypes together, but leaves float64 alone.
    if query.dtype != other.dtype and not (
        is_autocast(query.device)
        and query.is_floating_point()
        and other.is_floating_point()
        and torch.float64 not in (query.dtype, other.dtype)
    ):
        raise TypeError(f"{of} and {name} disagree in dtype: {query.dtype} and {other.dtype}")
    require_same_device(name, query, other, of)


def require_same_device(name: str, query: Tensor, other: Tensor, of: str = "query") -> None:
    """Refuse a tensor on another device than that of the query, or of `of`."""
    if query.device != other.device:
        raise ValueError(f"{of} and {name} disagree in device: {query.device} and {other.device}")


def require_weights_kind(name: str, tensor: Tensor, layer: nn.Module, of: str) -> None:
    """Refuse a tensor of another dtype or device than a linear layer's weights.

    An adapter in the layer's place, as LoRA's, may have weights of any dtype: it is not asked.
    """
    if type(layer) is nn.Linear:
        require_same_kind(name, layer.weight, tensor, of=of)


def require_mask(mask: Tensor, shape: Sequence[int], padding: str | None = None) -> None:
    """Refuse a mask that is not boolean, or does not broadcast to `shape` (..., query, key).

    `padding` says what to write where the mask is (batch, key).
    """
    if not isinstance(mask, Tensor):
        raise TypeError(f"mask must be a boolean tensor, got {type(mask).__name__}")
    if mask.dtype is not torch.bool:
        raise TypeError(f"mask must be boolean, True where attention is allowed, got {mask.dtype}")
    given = mask.shape
    if given == shape:
        return
    # A mask may be smaller than the scores, never larger: it must not widen the result.
    fits = len(given) <= len(shape) and all(
        have == want or have == 1
        for have, want in zip(given, shape[len(shape) - len(given) :], strict=True)
    )
    if not fits:
        problem = (
            f"mask {tuple(given)} does not broadcast to the scores' shape {tuple(shape)}, "
            "(..., query, key)"
        )
        if len(shape) > 2 and given == (shape[0], shape[-1]):
            padding = padding or f"write mask[:, {'None, ' * (len(shape) - 2)}:]"
            problem += f"; if it is a padding mask, (batch, key), {padding}"
        raise ValueError(problem)


# Token ids and their padding


def require_tokens(name: str, tokens: Tensor, shape: str) -> None:
    """Refuse what is not int64 token ids with two axes, named in `shape`."""
    if not isinstance(tokens, Tensor):
        raise TypeError(f"{name} must be a tensor of token ids, got {type(tokens).__name__}")
    if tokens.dtype != torch.int64:
        raise TypeError(f"{name} must hold token ids of torch.int64, got {tokens.dtype}")
    if tokens.dim() != 2:
        raise ValueError(f"{name} must be {shape}, got shape {tuple(tokens.shape)}")


def as_column(tokens: Tensor) -> Tensor:
    """Give one token a sentence, (batch,), as sentences of one token, (batch, 1)."""
    if isinstance(tokens, Tensor):
        if tokens.dim() != 1:
            raise ValueError(f"tokens must be (batch,), got shape {tuple(tokens.shape)}")
        tokens = tokens[:, None]
    require_tokens("tokens", tokens, "(batch,)")
    return tokens


def require_known(
    name: str, tokens: Tensor, embedding: nn.Embedding, mask: Tensor | None = None
) -> None:
    """Refuse ids that an embedding does not have, but at padding, where a mask is False."""
    require_ids(name, tokens, embedding.num_embeddings, mask)


def require_ids(
    name: str, tokens: Tensor, count: int, mask: Tensor | None = None, note: str = ""
) -> None:
    """Refuse ids that are not from 0 to `count - 1`, but at padding, where a mask is False.

    `note` says what there is to know about these ids.
    """
    # On a GPU the embedding itself stops at an unknown id; asking first would make it wait.
    if tokens.device.type != "cpu" or not tokens.numel():
        return
    if mask is not None:
        tokens = tokens.masked_fill(~mask, 0)
    if values_unknown(tokens):
        return
    least, most = (bound.item() for bound in torch.aminmax(tokens))
    if least < 0 or most >= count:
        raise ValueError(
            f"{name} must hold ids from 0 to {count - 1}{note}, got {least if least < 0 else most}"
        )


def require_target(target: Tensor, source: Tensor) -> None:
    """Refuse a target of another batch than its source, or without a begin mark."""
    if source.shape[0] != target.shape[0]:
        raise ValueError(
            f"source and target disagree in batch: {source.shape[0]} and {target.shape[0]}"
        )
    if target.shape[1] == 0:
        raise ValueError("target must hold at least the begin mark, got no token")


def require_padding_mask(name: str, mask: Tensor, tokens: Tensor) -> None:
    """Refuse a mask that is not boolean, (batch, length) like its tokens."""
    if not isinstance(mask, Tensor):
        raise TypeError(f"{name} must be a boolean tensor, got {type(mask).__name__}")
    if mask.dtype != torch.bool:
        raise TypeError(f"{name} must be boolean, True at real tokens, got {mask.dtype}")
    if mask.shape != tokens.shape:
        raise ValueError(
            f"{name} {tuple(mask.shape)} and its tokens {tuple(tokens.shape)} disagree in shape"
        )
    require_same_device("its tokens", mask, tokens, of=name)


def require_no_hole(**masks: Tensor | None) -> None:
    """Refuse padding masks, given by their names, with a real token behind padding.

    It is how a mask of the opposite meaning shows, True at padding.
    """
    masks = {name: mask for name, mask in masks.items() if mask is not None}
    if not masks or values_unknown(*masks.values()):
        return
    holes = [(mask[:, 1:] & ~mask[:, :-1]).any() for mask in masks.values()]
    for name, hole in zip(masks, torch.stack(holes).tolist(), strict=True):  # one transfer
        if hole:
            raise ValueError(
                f"{name} must be True at the start of each row, at the real tokens, and False at "
                "the padding behind them, but a row has True after False"
            )


# What is measured


def require_floats(name: str, tensor: Tensor, axes: tuple[str, ...]) -> None:
    """Refuse what is not floating point, with these axes."""
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"{name} must be a floating-point tensor, got {kind}")
    if tensor.dim() != len(axes):
        raise ValueError(f"{name} must be ({', '.join(axes)}), got {tuple(tensor.shape)}")


def require_counted(name: str, mask: Tensor, shape: Sequence[int], axes: str) -> None:
    """Refuse a mask of what counts that is not boolean, or not of this shape."""
    if not isinstance(mask, Tensor) or mask.dtype is not torch.bool:
        kind = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise TypeError(f"{name} must be a boolean tensor, True at what counts, got {kind}")
    if mask.shape != tuple(shape):
        raise ValueError(f"{name} must be {axes} {tuple(shape)}, got {tuple(mask.shape)}")


def require_sentences(**arguments: Sequence) -> None:
    """Refuse sequences, given by their names, that do not have one entry a sentence each."""
    sizes = {name: len(sentences) for name, sentences in arguments.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{size} of {name}" for name, size in sizes.items())
        raise ValueError(f"each sentence needs one of {', '.join(sizes)}, got {listed}")


def require_several(name: str, given: Sequence, what: str = "sentences") -> None:
    """Refuse a text where several are meant: its letters would count as them."""
    if isinstance(given, str):
        raise TypeError(f"{name} must be several {what}, got one str")


def require_pairs(hypotheses: Sequence, references: Sequence) -> None:
    """Refuse anything but one reference, or set of references, for each hypothesis."""
    require_several("hypotheses", hypotheses)
    require_several("references", references)
    if len(hypotheses) != len(references):
        raise ValueError(
            "hypotheses and references disagree in their number of sentences: "
            f"{len(hypotheses)} and {len(references)}"
        )
    if len(hypotheses) == 0:
        raise ValueError("hypotheses must hold at least one sentence, got none")
