"""Training: the loss, the loop, its record, and checkpoints that survive a crash (from chapter 04).

| module | what it holds |
|---|---|
| `loss` | cross-entropy per real token |
| `projected` | the same without ever holding all logits |
| `history` | the record of a training |
| `schedules` | how the learning rate goes up and down |
| `checkpoints` | weights and all else that a training needs to go on |
| `progress` | a bar on a terminal, plain lines elsewhere |
| `state` | what changes from step to step, and how it is saved and restored |
| `optimisers` | Adam |
| `averaging` | the mean of the weights at several moments |
| `workers` | several processes that train together |
| `sharding` | a model divided among them |
| `loop` | `fit`, which puts them together |
"""

from attncourse.training.averaging import KeepWeights, average_weights
from attncourse.training.checkpoints import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
)
from attncourse.training.history import History
from attncourse.training.loop import fit
from attncourse.training.loss import batch_loss, mean_loss, sequence_loss
from attncourse.training.optimisers import adam
from attncourse.training.schedules import inverse_root_schedule, linear_schedule
from attncourse.training.sharding import shard
from attncourse.training.workers import WorkerError, Workers, working_together

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "History",
    "KeepWeights",
    "WorkerError",
    "Workers",
    "adam",
    "average_weights",
    "batch_loss",
    "fit",
    "inverse_root_schedule",
    "linear_schedule",
    "load_checkpoint",
    "mean_loss",
    "read_checkpoint",
    "save_checkpoint",
    "sequence_loss",
    "shard",
    "working_together",
]
