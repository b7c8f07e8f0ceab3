"""An experiment: the sections of its file. What each component takes is declared beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from pydantic import NonNegativeInt

from uniapl_cli.analysis.options import AnalyseOptions
from uniapl_cli.chat import ChatOptions
from uniapl_cli.composing.options import ComposeOptions
from uniapl_cli.config.load import Root
from uniapl_cli.data.options import DataOptions
from uniapl_cli.discriminators import discriminators
from uniapl_cli.discriminators.discriminator import DiscriminatorOptions
from uniapl_cli.evaluation.options import EvalOptions
from uniapl_cli.evaluation.validation import ValidationOptions
from uniapl_cli.generation import generators
from uniapl_cli.monitoring.trackers import trackers
from uniapl_cli.options import MISSING, FilePath, Options, key, section
from uniapl_cli.pipelines.filter import FilterOptions
from uniapl_cli.pipelines.score import ScoreOptions
from uniapl_cli.pipelines.teach import TeachOptions
from uniapl_cli.precision import Precision
from uniapl_cli.ranks import ParallelOptions
from uniapl_cli.registry import Choice, Entry, Named
from uniapl_cli.rewards.reward import RewardOptions
from uniapl_cli.runs.options import RunOptions
from uniapl_cli.sandbox import SandboxOptions
from uniapl_cli.sources import SourceOptions, sources
from uniapl_cli.teachers.server import Server
from uniapl_cli.training.adapter import Adapter
from uniapl_cli.training.learner import LearnerOptions
from uniapl_cli.training.optim import OptimOptions, optimizers
from uniapl_cli.training.references import ReferenceOptions
from uniapl_cli.training.scheduling import AnyScheduleOptions
from uniapl_cli.training.settings import Training
from uniapl_cli.training.terms import TermOptions
from uniapl_cli.training.updates import UpdateOptions
from uniapl_cli.types import Sampling

# Named here: inside Config, `sources` is its field.
Sources = Annotated[dict[str, SourceOptions], Named(Choice(sources))]
Trackers = Annotated[dict[str, Options], Named(Choice(trackers))]


class Run(RunOptions):
    """Where and how a run writes, on what it computes, and what shows it."""

    trackers: Trackers = key(
        {},
        "programs that show the run: [tensorboard], or {wandb: {project: mine}}",
        may_change=True,
    )


class Model(Options):
    """A language model to load."""

    instead: ClassVar[Mapping[str, tuple[str, str]]] = {
        "dtype": (
            "precision",
            "weights that are trained are float32, for 16 bits round small updates away; "
            "precision=bfloat16 computes in bfloat16",
        )
    }
    path: FilePath = key(
        MISSING, "a folder, a run directory, a hub name, or tiny:base, tiny:teacher"
    )
    revision: str | None = key(None, "branch, tag or commit on the hub")
    attention: str = key(
        "auto", "attention of transformers: sdpa, eager, ...; auto is sdpa where the model has it"
    )


class Policy(Model):
    """The language model that is trained."""

    adapter: Adapter | None = key(None, "train a LoRA adapter; null trains all weights")


class Teacher(Model):
    """The model that teacher-gen asks: loaded from its path, or behind a server."""

    server: Server | None = key(None, "ask a server; null loads teacher.path instead")


class Polar(Options):
    """uniapl pretrain-polar: a discriminator from trajectories of several policies."""

    init: FilePath = key(MISSING, "language model whose weights the discriminator starts from")
    trajectories: list[FilePath] = key(
        [], "one JSONL a policy, two rows a prompt; the expert's first"
    )
    heldout: list[FilePath] = key([], "the same for held-out prompts, for the pair accuracy")
    separator: str = key("<|reward|>", "token between the two trajectories")
    tail: str = key("<|score|>", "last token, where the score is read")


class About(Options):
    """What a method's file says of itself. It decides nothing."""

    equation: str | None = key(
        None, "the gradient, in the names of the terms: g = SFT + lambda ADV", may_change=True
    )
    paper: str | None = key(None, "where it was published, with its arXiv number", may_change=True)
    code: str | None = key(None, "the authors' own, with its commit", may_change=True)
    settings: str | None = key(
        None, "model, batch and optimiser of the published figures", may_change=True
    )
    note: str | None = key(
        None, "where code and paper differ, and which of them this is", may_change=True
    )
    experimental: bool = key(
        False, "whether constants or formulas of it are uncertain", may_change=True
    )


class Config(Root):
    """One experiment. All verbs read the same file; each takes the sections it needs."""

    seed: NonNegativeInt = key(0, "of everything that is drawn")
    precision: Precision = key(
        "auto",
        "sampling, training and scoring compute in it; auto is bfloat16 on CUDA, else float32",
    )
    method: str | None = key(None, "set by `uniapl train METHOD`; ${method} names it in paths")
    about: About = section(About, "what a method's file says of itself; it decides nothing")
    run: Run = section(Run, "where and how often")
    model: Policy = section(Policy, "the policy that training starts from")
    teacher: Teacher = section(Teacher, "the model that teacher-gen asks")
    chat: ChatOptions = section(ChatOptions, "messages to prompts")
    data: DataOptions = section(DataOptions, "what training reads")
    sampling: Sampling = section(Sampling, "how rollouts are drawn")
    generation: Annotated[Options, Choice(generators, "local")] = key(
        generators.options("local"), "the generator of rollouts and responses"
    )
    discriminator: Annotated[DiscriminatorOptions, Choice(discriminators, "polar")] | None = key(
        None, "what compares a rollout with the teacher's response; null: nothing does"
    )
    training: Training = section(Training, "sizes of a step")
    validation: ValidationOptions = section(ValidationOptions, "what is measured meanwhile")
    parallel: ParallelOptions = section(
        ParallelOptions, "several processes, as torchrun starts them"
    )
    optim: Annotated[OptimOptions, Choice(optimizers, "adamw")] = key(
        optimizers.options("adamw"), "the optimiser"
    )
    schedules: dict[str, AnyScheduleOptions] = key(
        {}, "what the terms' weights are made of, by name"
    )
    terms: dict[str, TermOptions] = key({}, "the summands of the gradient, by name")
    references: dict[str, ReferenceOptions] = key(
        {}, "models that terms compare the policy with, by name; `start`, frozen, is always there"
    )
    updates: dict[str, UpdateOptions] = key(
        {}, "the updates of a step, one after the other, by name; none: one of all terms"
    )
    sources: Sources = key(
        {}, "where batches come from, by name; a source that is not here has its defaults"
    )
    rewards: dict[str, RewardOptions] = key({}, "what rollouts are judged by, by name")
    learners: dict[str, LearnerOptions] = key(
        {}, "models that learn beside the policy and reward it, by name"
    )
    sandbox: SandboxOptions = section(SandboxOptions, "where data sets' own code runs")
    compose: ComposeOptions = section(ComposeOptions, "uniapl data compose")
    teach: TeachOptions = section(TeachOptions, "uniapl teacher-gen")
    filter: FilterOptions = section(FilterOptions, "uniapl filter-gt")
    eval: EvalOptions = section(EvalOptions, "uniapl eval")
    analyse: AnalyseOptions = section(AnalyseOptions, "uniapl analyse")
    score: ScoreOptions = section(ScoreOptions, "uniapl score")
    polar: Polar = section(Polar, "uniapl pretrain-polar")

    def source(self, name: str) -> SourceOptions:
        """Return the options of a source: its entry, or the defaults of the kind of that name."""
        if name in self.sources:
            return self.sources[name]
        options = sources.options(name)
        assert isinstance(options, SourceOptions)
        return options

    def root(self, name: str) -> str:
        """Return the source whose rollouts a source takes; itself, if it draws from a stream."""
        of: str = getattr(self.source(name), "of", name)
        return of

    def with_roots(self, names: Iterable[str]) -> list[str]:
        """Return sources, each behind the one that it takes from."""
        return list(dict.fromkeys(one for name in names for one in (self.root(name), name)))

    def is_written(self, name: str) -> bool:
        """Whether the policy itself has written the answers that a source's batches hold."""
        takes = self.root(name) != name and not self.source(name).answers
        return takes or bool(self.source_kind(name).traits.get("rewarded"))

    def stream_of(self, name: str) -> str:
        """Return the stream whose items a source's batches are made of."""
        return self.source(self.root(name)).stream

    def with_sources(self, names: Iterable[str]) -> Config:
        """Return the config with entries for these sources, also for those with only defaults."""
        known = [name for name in sorted(names) if name in self.sources or name in sources]
        return self.model_copy(update={"sources": {name: self.source(name) for name in known}})

    def source_kind(self, name: str) -> Entry[type[SourceOptions]]:
        """Return the registry entry of a source."""
        return sources.entry(self.source(name))
