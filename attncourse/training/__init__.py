"""Training: the loss, the loop, its record, and checkpoints that survive a crash (from chapter 04).

| module | what it holds |
|---|---|
| `loop` | `fit`, the training loop: the others are what it is made of |
| `options` | what it is asked for, and what it refuses |
| `state` | what changes from step to step, and how the parts of a step are made |
| `resuming` | how that is saved, and goes on |
| `loss` | cross-entropy per real token |
| `language` | the losses of language models: the next token, or the hidden ones |
| `projected` | the same without ever holding all logits |
| `objective` | what is made small: that loss, or one's own |
| `optimisers` | Adam |
| `schedules` | how the learning rate goes up and down |
| `history` | the record of a training |
| `progress` | a bar on a terminal, plain lines elsewhere |
| `interrupts` | Ctrl-C |
| `checkpoints` | weights and all else that a training needs to go on, in a file |
| `locks` | who holds that file |
| `weights` | a model's weights by name, each once |
| `adversarial` | two models against each other |
| `averaging` | the mean of the weights at several moments |
| `workers` | several processes that train together |
| `sharding` | a model divided among them |
"""

from attncourse.training.adversarial import fit_adversarial, hinge_losses
from attncourse.training.averaging import KeepWeights, average_weights
from attncourse.training.checkpoints import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
)
from attncourse.training.history import History
from attncourse.training.language import masked_token_loss, next_token_loss
from attncourse.training.loop import fit
from attncourse.training.loss import batch_loss, sequence_loss
from attncourse.training.objective import mean_loss
from attncourse.training.optimisers import adam
from attncourse.training.options import Checkpoints, Seeded, Validation
from attncourse.training.schedules import inverse_root_schedule, linear_schedule
from attncourse.training.sharding import shard
from attncourse.training.workers import WorkerError, Workers, working_together

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Checkpoints",
    "History",
    "KeepWeights",
    "Seeded",
    "Validation",
    "WorkerError",
    "Workers",
    "adam",
    "average_weights",
    "batch_loss",
    "fit",
    "fit_adversarial",
    "hinge_losses",
    "inverse_root_schedule",
    "linear_schedule",
    "load_checkpoint",
    "masked_token_loss",
    "mean_loss",
    "next_token_loss",
    "read_checkpoint",
    "save_checkpoint",
    "sequence_loss",
    "shard",
    "working_together",
]
