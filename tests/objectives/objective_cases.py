"""What fits each objective: a batch, its options, and a trainable in float64 to train."""

import torch

from uniapl_cli.batches import ChoiceBatch, LabelledBatch, PairBatch
from uniapl_cli.objectives import batch_type, objectives
from uniapl_cli.ranks import ALONE
from uniapl_cli.tensors import START, TokenBatch
from uniapl_cli.training.beside import Teacher, gauge_of

VOCABULARY = 7


class Bigrams:
    """A trainable of ten lines: a table of log-probabilities of one token after another."""

    device = torch.device("cpu")
    ranks = ALONE

    def __init__(self):
        rng = torch.Generator().manual_seed(0)
        table = torch.randn(VOCABULARY, VOCABULARY, dtype=torch.float64, generator=rng)
        self.table = table.requires_grad_()

    def forward(self, batch):
        if isinstance(batch, PairBatch):
            used = torch.arange(batch.tokens.shape[-1]) < batch.lengths.unsqueeze(-1)
            return (self.table.diagonal()[batch.tokens] * used).sum(-1)
        tokens = batch.tokens
        logps = self.table.log_softmax(-1)[tokens[:, :-1], tokens[:, 1:]]
        return logps * batch.loss_mask

    def forward_with(self, batch, readings):
        rows = self.table.log_softmax(-1)[batch.tokens[:, :-1]]
        values = {
            reading: gauge_of(reading, batch).value(rows.flatten(0, 1), slice(None))
            for reading in readings
        }
        shape, mask = batch.loss_mask.shape, batch.loss_mask
        return self.forward(batch), {r: v.reshape(shape) * mask for r, v in values.items()}


class Frozen:
    """A reference that says of every batch what the batch says already; a table of its own."""

    def forward(self, batch):
        return batch.ref_logps

    def teacher(self, batch):
        rng = torch.Generator().manual_seed(3)
        table = torch.randn(VOCABULARY, VOCABULARY, generator=rng)
        return Teacher(torch.eye(VOCABULARY)[batch.tokens[:, :-1].flatten()], table)


def token_batch(lengths):
    """Return rows of very different length behind prompts of two tokens, all float64."""
    rng = torch.Generator().manual_seed(1)
    shape = len(lengths), max(lengths) + 2
    index = torch.arange(shape[1]).expand(shape)
    mask = (index >= 2) & (index < 2 + torch.tensor(lengths).unsqueeze(1))
    noise = torch.randn(3, *shape, dtype=torch.float64, generator=rng)
    return TokenBatch(
        tokens=torch.randint(VOCABULARY, (shape[0], shape[1] + 1), generator=rng),
        loss_mask=mask,
        old_logps=(0.3 * noise[0] - 2) * mask,
        ref_logps=(0.3 * noise[1] - 2) * mask,
        advantages={"worth": noise[2, :, 0]},
    )


def pair_batch(lengths):
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randint(VOCABULARY, (len(lengths), 2, max(lengths) + 1), generator=rng)
    return PairBatch(tokens, torch.tensor([[n, n + 1] for n in lengths]))


def choice_batch(lengths):
    return ChoiceBatch(token_batch([*lengths, *reversed(lengths)]))


def labelled_batch(lengths):
    desirable = torch.tensor([index % 3 > 0 for index in range(len(lengths))])
    others = token_batch(lengths[1:] + lengths[:1])
    baseline = torch.tensor(0.3, dtype=torch.float64)
    return LabelledBatch(token_batch(lengths), desirable, others, baseline)


MAKERS = {
    TokenBatch: token_batch,
    PairBatch: pair_batch,
    ChoiceBatch: choice_batch,
    LabelledBatch: labelled_batch,
}


def batch_of(name):
    """Return a batch of the kind that the objective of this name takes."""
    batch = MAKERS[batch_type(objectives[name])]([1, 12, 3, 1, 7])
    rng = torch.Generator().manual_seed(2)
    made = {
        reading: torch.randn(batch.loss_mask.shape, dtype=torch.float64, generator=rng)
        for reading in readings_of(name)
    }
    leaves = {
        reading: (value * batch.loss_mask).requires_grad_() for reading, value in made.items()
    }
    return batch.with_readings(leaves) if leaves else batch


def readings_of(name):
    """Return what a pass has to give beside log-probabilities for the objective of this name."""
    reads = objectives[name].traits.get("reads", ())
    return reads(bound_options(name)) if callable(reads) else reads


def bound(name, **options):
    """Return the objective of this name with whatever it cannot do without."""
    return objectives.bind(bound_options(name, **options))


def bound_options(name, **options):
    """Return the options that `bound` binds."""
    needed = {"reward": "worth", "reference": START}
    own = {key: value for key, value in needed.items() if key in objectives[name].takes()}
    return objectives.options(name, **{**own, **options})
