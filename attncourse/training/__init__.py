"""Training: the loss, the loop, its record, and checkpoints that survive a crash (from chapter 04).

| module | what it holds |
|---|---|
| `loss` | cross-entropy per real token |
| `history` | the record of a training |
| `schedules` | how the learning rate goes up and down |
| `checkpoints` | weights and all else that a training needs to go on |
| `progress` | a bar on a terminal, plain lines elsewhere |
| `state` | what changes from step to step, and how it is saved and restored |
| `loop` | `fit`, which puts them together |
"""

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
from attncourse.training.schedules import linear_schedule

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "History",
    "batch_loss",
    "fit",
    "linear_schedule",
    "load_checkpoint",
    "mean_loss",
    "read_checkpoint",
    "save_checkpoint",
    "sequence_loss",
]
