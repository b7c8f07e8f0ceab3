"""uniapl: post-training of language models with verifiable rewards and an expert's answers.

What programs and plug-ins import, by name. Each is loaded when it is first asked for, so that
`import uniapl_cli` is quick and imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from uniapl_cli.batches import ChoiceBatch as ChoiceBatch
    from uniapl_cli.batches import LabelledBatch as LabelledBatch
    from uniapl_cli.batches import PairBatch as PairBatch
    from uniapl_cli.commands.compose import compose as compose
    from uniapl_cli.commands.evaluate import evaluate as evaluate
    from uniapl_cli.commands.filter_gt import filter_gt as filter_gt
    from uniapl_cli.commands.score import score as score
    from uniapl_cli.commands.teacher_gen import teacher_gen as teacher_gen
    from uniapl_cli.commands.train import train as train
    from uniapl_cli.config.experiment import load_config as load_config
    from uniapl_cli.config.schema import Config as Config
    from uniapl_cli.data.layouts import layouts
    from uniapl_cli.discriminators import Discriminator as Discriminator
    from uniapl_cli.discriminators import DiscriminatorOptions as DiscriminatorOptions
    from uniapl_cli.discriminators import discriminators
    from uniapl_cli.errors import ConfigError as ConfigError
    from uniapl_cli.errors import DataError as DataError
    from uniapl_cli.errors import UniAPLError as UniAPLError
    from uniapl_cli.evaluation.benchmarks import Benchmark as Benchmark
    from uniapl_cli.evaluation.benchmarks import Item as Item
    from uniapl_cli.evaluation.benchmarks import Turn as Turn
    from uniapl_cli.evaluation.benchmarks import benchmarks
    from uniapl_cli.evaluation.estimates import Share as Share
    from uniapl_cli.evaluation.metrics import Answer as Answer
    from uniapl_cli.evaluation.metrics import metrics
    from uniapl_cli.facts import facts
    from uniapl_cli.files import Row as Row
    from uniapl_cli.monitoring.trackers import TrackedRun as TrackedRun
    from uniapl_cli.monitoring.trackers import trackers
    from uniapl_cli.objectives import advantages, corrections, objectives, reductions
    from uniapl_cli.options import Options as Options
    from uniapl_cli.options import key as key
    from uniapl_cli.plugins import load_plugins as load_plugins
    from uniapl_cli.rewards import reward_functions
    from uniapl_cli.sources import Parts as Parts
    from uniapl_cli.sources import Source as Source
    from uniapl_cli.sources import SourceBatch as SourceBatch
    from uniapl_cli.sources import SourceOptions as SourceOptions
    from uniapl_cli.sources import StepContext as StepContext
    from uniapl_cli.sources import sources
    from uniapl_cli.tensors import Batch as Batch
    from uniapl_cli.tensors import TokenBatch as TokenBatch
    from uniapl_cli.tensors import TokenLoss as TokenLoss
    from uniapl_cli.training.optim import Optimizer as Optimizer
    from uniapl_cli.training.optim import optimizers
    from uniapl_cli.training.schedules import schedules
    from uniapl_cli.types import Comparison as Comparison
    from uniapl_cli.types import Completion as Completion
    from uniapl_cli.types import Constraint as Constraint
    from uniapl_cli.types import Example as Example
    from uniapl_cli.types import Message as Message
    from uniapl_cli.types import Rollout as Rollout
    from uniapl_cli.verifiers import verifiers

    register_objective = objectives.register
    register_advantage = advantages.register
    register_reduction = reductions.register
    register_fact = facts.register
    register_correction = corrections.register
    register_source = sources.register
    register_reward_function = reward_functions.register
    register_schedule = schedules.register
    register_optimizer = optimizers.register
    register_discriminator = discriminators.register
    register_verifier = verifiers.register
    register_metric = metrics.register
    register_benchmark = benchmarks.register
    register_layout = layouts.register
    register_tracker = trackers.register

# Where each name is: `module:attribute`. tests/test_public_api.py holds this against the above.
_PUBLIC = {
    # The verbs: a config in, a result out.
    "load_config": "config.experiment:load_config",
    "Config": "config.schema:Config",
    "load_plugins": "plugins:load_plugins",
    "compose": "commands.compose:compose",
    "teacher_gen": "commands.teacher_gen:teacher_gen",
    "filter_gt": "commands.filter_gt:filter_gt",
    "train": "commands.train:train",
    "evaluate": "commands.evaluate:evaluate",
    "score": "commands.score:score",
    # Decorators that name a definition, which a config can then choose.
    "register_objective": "objectives:objectives.register",
    "register_advantage": "objectives:advantages.register",
    "register_reduction": "objectives:reductions.register",
    "register_fact": "facts:facts.register",
    "register_correction": "objectives:corrections.register",
    "register_source": "sources:sources.register",
    "register_reward_function": "rewards:reward_functions.register",
    "register_schedule": "training.schedules:schedules.register",
    "register_optimizer": "training.optim:optimizers.register",
    "register_discriminator": "discriminators:discriminators.register",
    "register_verifier": "verifiers:verifiers.register",
    "register_metric": "evaluation.metrics:metrics.register",
    "register_benchmark": "evaluation.benchmarks:benchmarks.register",
    "register_layout": "data.layouts:layouts.register",
    "register_tracker": "monitoring.trackers:trackers.register",
    # What definitions are made of.
    "Options": "options:Options",
    "key": "options:key",
    "Parts": "sources:Parts",
    "Source": "sources:Source",
    "SourceBatch": "sources:SourceBatch",
    "SourceOptions": "sources:SourceOptions",
    "StepContext": "sources:StepContext",
    "Discriminator": "discriminators:Discriminator",
    "DiscriminatorOptions": "discriminators:DiscriminatorOptions",
    "Optimizer": "training.optim:Optimizer",
    "TrackedRun": "monitoring.trackers:TrackedRun",
    "Answer": "evaluation.metrics:Answer",
    "Benchmark": "evaluation.benchmarks:Benchmark",
    "Item": "evaluation.benchmarks:Item",
    "Turn": "evaluation.benchmarks:Turn",
    "Share": "evaluation.estimates:Share",
    "Row": "files:Row",
    "Batch": "tensors:Batch",
    "TokenBatch": "tensors:TokenBatch",
    "TokenLoss": "tensors:TokenLoss",
    "ChoiceBatch": "batches:ChoiceBatch",
    "LabelledBatch": "batches:LabelledBatch",
    "PairBatch": "batches:PairBatch",
    "Comparison": "types:Comparison",
    "Completion": "types:Completion",
    "Constraint": "types:Constraint",
    "Example": "types:Example",
    "Message": "types:Message",
    "Rollout": "types:Rollout",
    # What a user can mend.
    "UniAPLError": "errors:UniAPLError",
    "ConfigError": "errors:ConfigError",
    "DataError": "errors:DataError",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'uniapl_cli' has no attribute '{name}'")
    module, _, attribute = _PUBLIC[name].partition(":")
    value = globals()[name] = attrgetter(attribute)(import_module(f"uniapl_cli.{module}"))
    return value


def __dir__() -> list[str]:
    """List the public names, also those that nobody asked for yet."""
    return sorted({*globals(), *_PUBLIC})
