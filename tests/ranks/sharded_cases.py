"""What a model computes and writes: by one process, or by several that hold parts of it.

`python sharded_cases.py RANK WORLD FOLDER` computes all of it as one of several.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor

from uniapl_cli.ranks import ALONE, Ranks, sharding

LENGTHS = (2, 9, 5, 17, 3)
TOKENS = 40  # padded ones of a micro-batch
ADAMW = 1e-3


class Parts(Ranks):
    """A rank of some that hold parts of all weights."""

    sharded = True

    def __init__(self, rank: int, world: int, **options: bool) -> None:
        self.rank, self.world, self.options = rank, world, options
        self.mesh = DeviceMesh.from_group(dist.group.WORLD, "cpu")

    def gather(self, part: Any, doing: str) -> list[Any]:
        parts = [None] * self.world
        dist.all_gather_object(parts, part)
        return parts

    def sum(self, tensors: Any, doing: str) -> None:
        for tensor in tensors:
            dist.all_reduce(tensor)

    def wrap(self, net: Any, units: Any) -> None:
        sharding.shard(net, units, self.mesh, **self.options)

    def whole(self, net: Any) -> Any:
        return sharding.whole(net)

    def full(self, tensor: Any) -> Any:
        return sharding.full(tensor)


def policy_of(family: str, ranks: Ranks, *, rank: int = 0, small: bool = False) -> Any:
    """Return a random policy; with an adapter that is not 0 where it has a `rank`."""
    from architectures import new_model

    from uniapl_cli.loading import load_tokenizer
    from uniapl_cli.tiny.assets import resolve
    from uniapl_cli.training.adapter import Adapter, adapt
    from uniapl_cli.training.policy import Policy

    tokenizer = load_tokenizer(resolve("tiny:base"))
    model = new_model(family, len(tokenizer))
    if rank:
        if small:
            for layer in model.get_decoder().layers:
                layer.to(torch.bfloat16)
        adapt(model, Adapter(rank=rank), 0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            for name, weight in model.named_parameters():
                if ".lora_B." in name:
                    torch.nn.init.normal_(weight, std=0.1)
    return Policy(model, tokenizer, "bfloat16" if small else "float32", ranks=ranks)


def batch_of(lengths: Any = LENGTHS) -> Any:
    """Return rows of these lengths, all of whose tokens but the first two count."""
    from uniapl_cli.tensors import TokenBatch

    rng = torch.Generator().manual_seed(0)
    tokens = torch.randint(300, (len(lengths), max(lengths) + 3), generator=rng)
    places = torch.arange(max(lengths) + 2).expand(len(lengths), -1)
    return TokenBatch(tokens, (places > 1) & (places < 2 + torch.tensor(lengths)[:, None]))


def nothing() -> Any:
    """Return a micro-batch that counts nothing: other ranks have one more."""
    from uniapl_cli.tensors import TokenBatch

    return TokenBatch(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 2, dtype=torch.bool))


def accumulate(policy: Any, *, exact: bool = False, read: Any = None) -> None:
    """Add the gradient of the mean over all tokens, micro-batches dealt to the ranks.

    read: what gives (B, T) numbers of a micro-batch; None: the policy's log-probabilities.
    """
    ranks, read = policy.ranks, read or policy.forward
    micros = list(batch_of().split(TOKENS))
    mine = ranks.deal(micros, lambda micro: micro.tokens.numel())
    mine += [nothing()] * (-(-len(micros) // ranks.world) - len(mine))
    totals: dict[Any, Any] = {}
    for index, micro in enumerate(mine):
        if exact:
            sharding.syncing(policy.net, index == len(mine) - 1)
        logps = read(micro)
        weights = torch.linspace(0.5, 1.5, logps.shape[1])
        (ranks.world * -(logps * weights).sum() / 32).backward()  # exact in float32
        for weight in policy.model.parameters() if exact and not ranks.sharded else ():
            if weight.grad is not None:
                totals[weight] = totals.get(weight, 0) + weight.grad.double()
                weight.grad = None
    for weight, total in totals.items():
        weight.grad = total.float()


def gradients(policy: Any) -> dict[str, Any]:
    """Return the gradient by name, and its norm."""
    from uniapl_cli.training.accumulate import gradient_norm

    found = {
        name: policy.ranks.full(weight.grad).clone()
        for name, weight in policy.model.named_parameters()
        if weight.grad is not None
    }
    own = [weight for weight in policy.model.parameters() if weight.requires_grad]
    return {**found, "norm": torch.tensor(gradient_norm(own, 1.0))}


def of_family(family: str) -> Callable[..., dict[str, Any]]:
    """Return what makes the gradient of a family's model."""

    def make(new: Any, folder: Path) -> dict[str, Any]:
        policy = policy_of(family, new())
        accumulate(policy)
        return gradients(policy)

    return make


def recomputed(new: Any, folder: Path) -> dict[str, Any]:
    from uniapl_cli.training.activations import checkpoint_activations

    policy = policy_of("llama-tied", new())
    checkpoint_activations(policy.model, "float32")
    accumulate(policy)
    return gradients(policy)


def offloaded(new: Any, folder: Path) -> dict[str, Any]:
    policy = policy_of("llama-tied", new(offload=True))
    accumulate(policy)
    return gradients(policy)


def exact(family: str) -> Callable[..., dict[str, Any]]:
    """Return what adds up a family's gradient in float64."""

    def make(new: Any, folder: Path) -> dict[str, Any]:
        policy = policy_of(family, new(exact=True))
        accumulate(policy, exact=True)
        return gradients(policy)

    return make


def trained(kind: str) -> Callable[..., dict[str, Any]]:
    """Return what makes three updates by an optimiser."""

    def make(new: Any, folder: Path) -> dict[str, Any]:
        from uniapl_cli.training.optim import optimizers

        policy = policy_of("llama", new())
        optimizer = optimizers.bind(optimizers.options(kind, weight_decay=0.1))(policy.model)
        for _ in range(3):
            accumulate(policy)
            optimizer.step(ADAMW)
        return {n: policy.ranks.full(p.detach()) for n, p in policy.model.named_parameters()}

    return make


def sampled(new: Any, folder: Path) -> dict[str, Any]:
    """Sample, and score options, as often as the rank's number; then learn from a batch."""
    from uniapl_cli.chat import Chat
    from uniapl_cli.generation.generator import Request, in_order
    from uniapl_cli.generation.likelihood import ChoiceRequest, LikelihoodScorer
    from uniapl_cli.generation.local import LocalGenerator
    from uniapl_cli.types import Sampling

    policy = policy_of("llama-tied", new())
    ranks, model = policy.ranks, policy.model
    asked = [Request(tuple(range(30, 30 + n)), (n, n + 1)) for n in (3, 12)][: 2 - ranks.rank]
    generator = LocalGenerator(model, Chat(policy.tokenizer), precision="float32")
    found: dict[str, Any] = {}
    with ranks.whole(policy.net):
        with ranks.whole(policy.net):
            answers = in_order(generator.generate(asked, Sampling(max_new_tokens=12)), len(asked))
        found["inner"] = not any(isinstance(p, DTensor) for p in model.parameters())
        found["tokens"] = [[one.token_ids for one in row] for row in answers]
        found["logps"] = [[one.logps for one in row] for row in answers]
        scorer = LikelihoodScorer(model, policy.tokenizer, precision="float32")
        options = [ChoiceRequest("What is it? ", ("a boat", "the market"))][: 1 - ranks.rank]
        found["options"] = [one.logp for _, row in scorer.score(options) for one in row]
        with torch.no_grad():
            for lengths in [(3,), (4, 2)][ranks.rank :]:
                found[f"pass {lengths}"] = policy.forward(batch_of(lengths))
    found["parts"] = all(isinstance(p, DTensor) for p in model.parameters())
    with torch.no_grad():
        found["read"] = policy.forward(batch_of())
    found["still parts"] = all(isinstance(p, DTensor) for p in model.parameters())
    accumulate(policy)
    return found | gradients(policy)


def served(new: Any, folder: Path) -> dict[str, Any]:
    """Bring weights to servers, and try them with others meanwhile; the first rank does, alone."""
    from uniapl_cli.generation.served.fingerprint import fingerprint
    from uniapl_cli.generation.served.perturbing import perturbed

    policy = policy_of("llama", new())
    found: dict[str, Any] = {}
    with policy.ranks.whole(policy.net), torch.no_grad():
        if policy.ranks.first:
            found["before"] = fingerprint(policy.model)
            with perturbed(policy.model):
                found["moved"] = policy.forward(batch_of())
            found["after"] = fingerprint(policy.model)
            policy.export(folder / "served", torch.bfloat16)
    accumulate(policy)
    return found | gradients(policy)


def saved(new: Any, folder: Path) -> dict[str, Any]:
    from uniapl_cli.training.policy import save_folder

    for family in ("llama-tied", "llama", "qwen3_moe"):
        policy = policy_of(family, new())
        options: Any = {"ranks": policy.ranks}
        save_folder(folder / family, policy.model, policy.tokenizer, **options)
        save_folder(folder / f"{family} 16", policy.model, policy.tokenizer, "bfloat16", **options)
        policy.export(folder / f"{family} apart", torch.float32)
    return dict(policy.checkpoint(torch.float32))


def adapted(new: Any, folder: Path) -> dict[str, Any]:
    """Read the reference first of all, as a step does; then save, and make three updates."""
    from uniapl_cli.training.optim import optimizers
    from uniapl_cli.training.policy import WithoutAdapter, save_folder

    policy = policy_of("llama-tied", new(), rank=4)
    found = {"reference": WithoutAdapter(policy).forward(batch_of())}
    save_folder(folder / "adapted", policy.model, policy.tokenizer, ranks=policy.ranks)
    optimizer = optimizers.bind(optimizers.options("adamw"))(policy.model)
    for _ in range(3):
        accumulate(policy)
        optimizer.step(ADAMW)
        WithoutAdapter(policy).forward(batch_of())
    accumulate(policy)
    with policy.ranks.whole(policy.net), torch.no_grad():
        found["whole"] = policy.forward(batch_of())
        found["whole reference"] = WithoutAdapter(policy).forward(batch_of())
    return found | gradients(policy)


def adapted_small(new: Any, folder: Path) -> dict[str, Any]:
    """Layers in bfloat16, beside an adapter in float32, without which the first pass is made."""
    from uniapl_cli.training.policy import WithoutAdapter, save_folder

    policy = policy_of("llama-tied", new(exact=True), rank=4, small=True)
    WithoutAdapter(policy).forward(batch_of())
    save_folder(folder / "adapted small", policy.model, policy.tokenizer, ranks=policy.ranks)
    accumulate(policy, exact=True)
    return gradients(policy)


def reported(new: Any, folder: Path) -> dict[str, Any]:
    from uniapl_cli.monitoring.gradients import gradient_report, term_gradients

    policy = policy_of("llama", new())
    parameters = list(policy.model.parameters())
    lengths = {"short": (3, 2), "long": (9, 4)}

    def add(name: str) -> None:
        (-policy.forward(batch_of(lengths[name])).sum()).backward()

    return gradient_report(term_gradients(parameters, add), list(lengths), policy.ranks)


def refused(new: Any, folder: Path) -> dict[str, Any]:
    from uniapl_cli.errors import ModelError
    from uniapl_cli.training.optim import optimizers

    policy = policy_of("llama", new())
    try:
        optimizers.bind(optimizers.options("adamw8bit"))(policy.model)
    except ModelError as error:
        return {"told": str(error)}
    return {"told": ""}


def compared(new: Any, folder: Path) -> dict[str, Any]:
    """The gradient of a discriminator in POLAR's format."""
    from uniapl_cli.batches import PairBatch
    from uniapl_cli.discriminators.polar.polar import new_polar
    from uniapl_cli.tiny.assets import resolve
    from uniapl_cli.training.discriminator import TrainableDiscriminator

    polar = new_polar(resolve("tiny:base"), "<|reward|>", "<|score|>")
    torch.nn.init.constant_(polar.model.score.weight, 0.1)
    trainable = TrainableDiscriminator(polar, "cpu", ranks=new())
    tokens = torch.randint(300, (2, 2, 9), generator=torch.Generator().manual_seed(0))
    batch = PairBatch(tokens, torch.tensor([[9, 4], [6, 8]]))
    trainable.forward(batch).diff(dim=1).sum().backward()
    return gradients(trainable)


def distilled(new: Any, folder: Path) -> dict[str, Any]:
    """Entropies, and divergences from another model and from a moving average of the policy."""
    from uniapl_cli.readings import Divergence, Entropy
    from uniapl_cli.training.average import Average
    from uniapl_cli.training.optim import optimizers, trained

    policy, other, copy = (
        policy_of(family, new()) for family in ("llama-tied", "llama", "llama-tied")
    )
    average = Average(copy, 0.5, trained(policy.model))
    optimizer = optimizers.bind(optimizers.options("adamw"))(policy.model)
    readings = [Entropy(), Divergence("other", 0.5), Divergence("average", 1.0, 5)]

    def read(micro: Any) -> Any:
        """Return the sum of all that is read."""
        models = {"other": other.teacher, "average": average.policy.teacher}
        logps, values = policy.forward_with(micro.with_teachers(models), readings)
        return logps + sum(values.values())

    for _ in range(2):
        accumulate(policy, read=read)
        optimizer.step(ADAMW)
        average.follow(trained(policy.model))
    accumulate(policy, read=read)
    own = {f"average {n}": policy.ranks.full(w).clone() for n, w in average.weights.items()}
    with torch.no_grad():
        found = {"teacher": other.teacher(batch_of()).logp(slice(None))}
    return found | own | gradients(policy)


FAMILIES = ("llama-tied", "llama", "gemma2", "qwen3_moe", "qwen3_5_text", "gpt2", "gemma3")
CASES: dict[str, Callable[..., dict[str, Any]]] = {
    **{family: of_family(family) for family in FAMILIES},
    **{kind: trained(kind) for kind in ("adamw", "muon")},
    **{f"exact {family}": exact(family) for family in ("llama-tied", "gemma3")},
    **{
        case.__name__: case
        for case in (
            recomputed,
            offloaded,
            sampled,
            served,
            saved,
            adapted,
            adapted_small,
            reported,
            refused,
            compared,
            distilled,
        )
    },
}


def alone(**options: bool) -> Ranks:
    """Return one process."""
    return ALONE


def main(rank: int, world: int, folder: Path, *names: str) -> None:
    """Compute all cases as one of several ranks, and leave what came of them in the folder."""
    store = dist.FileStore(str(folder / "store"), world)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world)
    found = {}
    for name in names or CASES:
        found[name] = CASES[name](lambda **options: Parts(rank, world, **options), folder / "parts")
        dist.barrier()
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    torch.set_num_threads(1)
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
