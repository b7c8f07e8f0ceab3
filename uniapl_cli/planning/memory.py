"""The memory of a run by phase and part: its own code over tensors without data."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch._subclasses.fake_tensor import DataDependentOutputException

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.packing import packed_bytes
from uniapl_cli.planning.operations import attention, multiplied
from uniapl_cli.planning.paper import PaperPolicy, on_paper, unmoved
from uniapl_cli.planning.sampling import decode
from uniapl_cli.planning.setup import (
    DISCRIMINATOR,
    FRAGMENTS,
    GRADIENTS,
    KEPT,
    LIBRARIES,
    OPTIMIZER,
    PACKED,
    REFERENCE,
    SUMMED,
    Setup,
    Usage,
)
from uniapl_cli.planning.sharding import Sharding, units
from uniapl_cli.planning.step import Pass, all_passes, largest
from uniapl_cli.planning.tracker import ACTIVATIONS, WEIGHTS, Tracker, elements
from uniapl_cli.planning.world import World
from uniapl_cli.precision import Precision, arithmetic, freeze
from uniapl_cli.ranks.sums import in_pieces
from uniapl_cli.training.activations import checkpoint_activations
from uniapl_cli.training.adapter import adapt
from uniapl_cli.training.optim import Optimizer, trained


def measure(setup: Setup, phases: Collection[str] | None = None) -> Usage:
    """Return what a step would take, from the second on, when the optimiser has a state.

    phases: those that are wanted; None: all.
    """
    # Before, since tensors without data have no lengths.
    one, several = largest(setup.own), len(all_passes(setup.own)) > 1
    with on_paper(setup.vocabulary) as tracker:
        run = _Run(setup, tracker)
        if setup.sampled and (phases is None or "sampling" in phases):
            run.score() if setup.elsewhere else run.sample()
        if setup.reference and (phases is None or "reference" in phases):
            run.refer(one)
        run.train(one, several)
        return run.usage


class _Run:
    """A run on paper: what stays from step to step, and the phases of one."""

    def __init__(self, setup: Setup, tracker: Tracker) -> None:
        self.setup, self.tracker, self.usage = setup, tracker, Usage()
        # On paper all tensors are a CPU's, so "auto" must be said.
        self.precision: Precision = "float32" if setup.dtype is torch.float32 else "bfloat16"
        self.model = self._policy()
        self.reference = self._reference()
        self.scorer = self._scorer()
        self.optimizer = self._updated()
        self.policy = self.referred = PaperPolicy(self.model, self.precision)
        if self.reference is not self.model:
            self.referred = PaperPolicy(self.reference, self.precision)
        self.sharding, self.reference_sharding = self._shared()

    def _policy(self) -> Any:
        setup, usage = self.setup, self.usage
        with self.tracker.part(WEIGHTS):
            model = setup.make().eval()
            if setup.adapter is not None:
                freeze(model, setup.dtype if setup.exact else torch.float32)
                with unmoved():
                    adapt(model, setup.adapter, seed=0)
        usage.parameters = elements(model)
        usage.trained = sum(weight.nbytes for weight in trained(model).values())
        usage.head = model.get_output_embeddings().weight.numel()
        usage.layers = multiplied(model)
        usage.attention = attention(model.config.get_text_config())
        return model

    def _reference(self) -> Any:
        if not self.setup.reference or self.setup.adapter is not None:
            return self.model  # whose adapter is disabled
        with self.tracker.part(REFERENCE):
            return freeze(self.setup.make().eval(), self.setup.dtype)

    def _scorer(self) -> Any:
        if self.setup.discriminator is None:
            return None
        with self.tracker.part(DISCRIMINATOR):
            model = freeze(self.setup.discriminator.make().eval(), self.setup.dtype)
        self.usage.scorer = multiplied(model)
        return model

    def _updated(self) -> Optimizer | None:
        """Make an update, with gradients but without activations; return the optimiser."""
        with self._phase("update"):
            self._make_gradients()
            optimizer = self._stepped()
            if optimizer is None:
                self._hold_state()
        self.usage.state = self.tracker.live[OPTIMIZER]
        return optimizer

    def _shared(self) -> tuple[Sharding | None, Sharding | None]:
        """Leave a card what it has of a world of several ranks; return what counts the rest."""
        usage, tracker = self.usage, self.tracker
        world = usage.world = self._world()
        found = units(self.policy.net)[1]
        usage.units = tuple(unit.size for unit in found)
        usage.reference = sum(unit.size for unit in units(self.referred.net)[1])
        update = dict(usage.phases["update"])
        if not world.full:
            sums = [
                sum(w.nbytes for w in of) for of in in_pieces(list(trained(self.model).values()))
            ]
            usage.sums = len(sums)
            if world.ranks > 1:
                usage.phases["update"] = {**update, SUMMED: max(sums)}
            return None, None
        usage.sums = sum(bool(unit.slopes) for unit in found)
        for part in (WEIGHTS, OPTIMIZER, REFERENCE):
            size = tracker.live[part]
            usage.host += world.of_host * -(-size // world.ranks) if world.offload else 0
            tracker.hold(part, world.kept(size) - size)
        usage.host += world.of_host * -(-usage.trained // world.ranks) if world.offload else 0
        for part in (WEIGHTS, GRADIENTS, OPTIMIZER, REFERENCE, ACTIVATIONS):
            update[part] = world.kept(update.get(part, 0))
        usage.phases["update"] = {name: size for name, size in update.items() if size}
        made = [Sharding(tracker, world, self.policy.net)]
        if self.referred is not self.policy:
            made.append(Sharding(tracker, world, self.referred.net))
        return made[0], made[-1]

    def _world(self) -> World:
        world, numbers = self.setup.world, self.usage.parameters
        if world.shard == "auto" and self.setup.device != "cuda":
            return replace(world, shard="none")
        if self.setup.adapter is not None:
            return world.resolved(0, 4 * numbers, 0)
        return world.resolved(numbers, 0, self.setup.state_bytes)

    def _stepped(self) -> Optimizer | None:
        """Return the optimiser after an update; None where what it says of its state must do."""
        if self.setup.optimizer is None:
            return None
        try:
            with self.tracker.part(OPTIMIZER):
                optimizer = self.setup.optimizer(self.model)
                optimizer.step(1e-6)
        except DataDependentOutputException as error:
            if self.setup.state_bytes is None:
                problem = "this optimizer's update reads numbers, which a plan has not"
                raise ModelError(problem, "Plan with optim.kind=adamw") from error
            return None
        return optimizer

    def _hold_state(self) -> None:
        weights = trained(self.model).values()
        size = (self.setup.state_bytes or 0) * sum(weight.numel() for weight in weights)
        self.tracker.hold(OPTIMIZER, size)
        for weight in weights:
            weight.grad = None

    def sample(self) -> None:
        """Sample responses, and score some while others are sampled."""
        with self.sharding.whole() if self.sharding else nullcontext():
            self._sample()

    def _sample(self) -> None:
        setup, tracker = self.setup, self.tracker
        free = max(setup.memory - tracker.live.total(), 1)
        packed = packed_bytes(self.model, setup.dtype, setup.device, free)
        computing = arithmetic(self.precision, "cpu")
        if setup.dtype is not torch.float32:  # it is the copy's weights that are multiplied
            computing = torch.autocast("cpu", dtype=setup.dtype, cache_enabled=False)
        with tracker.held(PACKED, packed), torch.inference_mode():
            with self._phase("sampling"), computing:
                rows = decode(self.model, setup, self.usage, tracker, free - packed)
            self.score()
            del rows

    def score(self) -> None:
        """Score some responses, if that is done in this process."""
        plan, model = self.setup.discriminator, self.scorer
        if plan is None:
            return
        ids = torch.zeros(plan.rows, plan.width, dtype=torch.long)
        body = getattr(model, model.base_model_prefix, model)
        keeps = {"use_cache": True} if hasattr(model.config, "use_cache") else {}
        computing = arithmetic(self.precision, "cpu")
        held = self.tracker.held(DISCRIMINATOR, plan.cached)
        with self._phase("scoring"), held, computing, torch.inference_mode():
            body(input_ids=ids, **keeps)

    def refer(self, one: Pass) -> None:
        """Read a micro-batch without going back."""
        sharding = self.reference_sharding
        gathered = sharding.passing() if sharding else nullcontext()
        with self._phase("reference"), gathered, torch.no_grad():
            self.referred.read(one)

    def train(self, one: Pass, several: bool) -> None:
        """Read a micro-batch and go back; if there are several, beside the gradients of others."""
        for weight in trained(self.model).values():
            weight.register_post_accumulate_grad_hook(self._own_gradient)
        if self.setup.recomputed:
            checkpoint_activations(self.model, self.precision)
        sharding = self.sharding
        if sharding:
            sharding.watch()
        gathered = sharding.passing(several=several) if sharding else nullcontext()
        with self._phase("training"), gathered:
            if several and not sharding:
                self._make_gradients()
            self.policy.read(one).sum().backward()

    def _make_gradients(self) -> None:
        with self.tracker.part(GRADIENTS):
            for weight in trained(self.model).values():
                weight.grad = torch.zeros_like(weight)

    def _own_gradient(self, weight: Any) -> None:
        self.tracker.move([weight.grad], GRADIENTS)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        with self.tracker.phase():
            yield
        parts, device = (
            {n: size for n, size in self.tracker.peak.items() if size},
            self.setup.device,
        )
        if device in KEPT:
            parts[LIBRARIES] = KEPT[device] + int(FRAGMENTS[device] * sum(parts.values()))
        self.usage.phases[name] = parts
