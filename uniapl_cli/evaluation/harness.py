"""Tasks of lm-evaluation-harness on a model of ours. Needs uniapl[lm-eval].

Its interface is that of lm_eval 0.4.13 (EleutherAI/lm-evaluation-harness:
lm_eval/api/model.py, lm_eval/api/instance.py).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ConfigError, ModelError, unknown
from uniapl_cli.generation.continuations import text_ids
from uniapl_cli.generation.generator import Generator, Request
from uniapl_cli.generation.likelihood import ChoiceRequest, LikelihoodScorer
from uniapl_cli.reasons import explained
from uniapl_cli.seeding import derive
from uniapl_cli.types import Progress, Sampling

# What tasks call the most new tokens, in the harness's order, and how many there are by default.
LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
NEW_TOKENS = 256
# What it reports of the machine, which nobody asked for: it takes seconds, and a git repository.
REPORTS = ("add_env_info", "get_git_commit_hash")


class HarnessModel:
    """A model as the harness asks it: `Instance`s with `args` in, answers in their order out.

    Log-likelihoods are those of its HF class, up to rounding, but nothing is cut off: what is too
    long for the model is an error that names the task's row. Responses are sampled whole, and then
    cut at the first of the strings that end them. seed: of what is drawn where a task samples.
    """

    # Set by the harness, and told what is known so far.
    cache_hook: Any = None

    def __init__(
        self,
        generator: Generator,
        scorer: LikelihoodScorer,
        chat: Chat,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.scorer, self.chat = generator, scorer, chat
        self.tokenizer = chat.tokenizer
        self.seed, self.progress = seed, progress

    def loglikelihood(self, requests: Sequence[Any], **_: Any) -> list[tuple[float, bool]]:
        """Return of each (context, continuation) its log-probability, and whether it is greedy."""
        by_context: dict[str, list[int]] = {}
        for number, request in enumerate(requests):
            by_context.setdefault(request.args[0], []).append(number)
        groups = list(by_context.values())
        choices = [
            ChoiceRequest(
                context, tuple(requests[n].args[1] for n in group), _name(requests[group[0]])
            )
            for context, group in by_context.items()
        ]
        answers: dict[int, tuple[float, bool]] = {}
        for index, likelihoods in self.scorer.score(choices, self.progress):
            for number, one in zip(groups[index], likelihoods, strict=True):
                answers[number] = (one.logp, one.greedy)
                self._keep("loglikelihood", requests[number], answers[number])
        return [answers[number] for number in range(len(requests))]

    def loglikelihood_rolling(self, requests: Sequence[Any], **_: Any) -> list[float]:
        """Refuse tasks that measure the perplexity of whole texts. Raises ConfigError."""
        problem = "the likelihood of whole texts (loglikelihood_rolling) is not computed"
        raise ConfigError(problem, "Choose other tasks", where=_name(requests[0]))

    def generate_until(self, requests: Sequence[Any], **_: Any) -> list[str]:
        """Return of each (context, arguments) the response, up to the string that ends it."""
        by_sampling: dict[Sampling, list[int]] = {}
        for number, request in enumerate(requests):
            sampling = read_sampling(request.args[1], _name(request))
            by_sampling.setdefault(sampling, []).append(number)
        answers: dict[int, str] = {}
        asked: dict[str, int] = {}
        for sampling, numbers in by_sampling.items():
            drawn = [self._request(requests[number], asked) for number in numbers]
            for index, (response,) in self.generator.generate(drawn, sampling, self.progress):
                number = numbers[index]
                text = self.tokenizer.decode(response.token_ids, skip_special_tokens=True)
                answers[number] = cut(text, requests[number].args[1].get("until"))
                self._keep("generate_until", requests[number], answers[number])
        return [answers[number] for number in range(len(requests))]

    def _request(self, request: Any, asked: dict[str, int]) -> Request:
        """Return a request whose seed depends on the text and on how often it was asked before."""
        context = request.args[0]
        asked[context] = asked.get(context, 0) + 1
        seed = derive(self.seed, context, asked[context])
        return Request(tuple(text_ids(self.tokenizer, context)), (seed,), _name(request))

    def _keep(self, method: str, request: Any, answer: Any) -> None:
        if self.cache_hook is not None:
            self.cache_hook.add_partial(method, request.args, answer)

    def apply_chat_template(
        self, chat_history: Sequence[Mapping[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Return a conversation as text; without a generation prompt, its last turn goes on."""
        turns = [dict(turn) for turn in chat_history]
        if self.chat.system is not None and turns[0]["role"] != "system":
            turns.insert(0, {"role": "system", "content": self.chat.system})
        return self.tokenizer.apply_chat_template(
            turns,
            chat_template=self.chat_template(),
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
            enable_thinking=self.chat.thinking,
        )

    def chat_template(self, _name: Any = True) -> str:
        """Return the chat template, of which there is one."""
        return self.chat.template.dated(self.tokenizer.get_chat_template())

    @property
    def tokenizer_name(self) -> str:
        """What the harness knows the tokenizer by."""
        return str(self.tokenizer.name_or_path).replace("/", "__")


def _name(request: Any) -> str:
    """Return how messages call a request: its task and the number of its row."""
    return f"{getattr(request, 'task_name', None) or 'a task'}[{getattr(request, 'doc_id', '?')}]"


def read_sampling(arguments: Mapping[str, Any], where: str = "") -> Sampling:
    """Return what a task's generation_kwargs say. Raises ConfigError for those not known here."""
    rest = {name: value for name, value in arguments.items() if value is not None}
    rest.pop("until", None)
    limits = [rest.pop(name) for name in LIMITS if name in rest]
    temperature = float(rest.pop("temperature", 1.0 if rest.get("do_sample") else 0.0))
    if not rest.pop("do_sample", temperature > 0):
        temperature = 0.0
    top_p, top_k = float(rest.pop("top_p", 1.0)), int(rest.pop("top_k", 0))
    if rest:
        allowed = ("until", "do_sample", "temperature", "top_p", "top_k", *LIMITS)
        name = next(iter(rest))
        problem = f"generation_kwargs has '{name}', which is not known here"
        raise ConfigError(problem, where=where or None, got=name, allowed=allowed)
    new = int(limits[0]) if limits else NEW_TOKENS
    return Sampling(temperature=temperature, top_p=top_p, top_k=max(0, top_k), max_new_tokens=new)


def cut(text: str, until: str | Sequence[str] | None) -> str:
    """Return a text up to the first of the strings that end it, without them."""
    ends = [until] if isinstance(until, str) else until or ()
    places = [place for end in ends if end and (place := text.find(end)) >= 0]
    return text[: min(places)] if places else text


def check_installed() -> None:
    """Refuse to go on without the harness. Raises ModelError."""
    if importlib.util.find_spec("lm_eval") is None:
        problem = "tasks of lm-evaluation-harness need the lm_eval package"
        raise ModelError(problem, "Type: pip install 'uniapl[lm-eval]'")


@cache
def model_class() -> Callable[..., HarnessModel]:
    """Return HarnessModel as a class of the harness's. Raises ModelError without the package."""
    check_installed()
    from lm_eval.api.model import LM

    return type("UniAPL", (HarnessModel, LM), {})


def run_tasks(
    lm: Any,
    tasks: Sequence[str],
    *,
    include_path: str | Path | None = None,
    limit: int | None = None,
    shots: int | None = None,
    chat: bool = False,
) -> dict[str, Any]:
    """Return the harness's results of a `model_class` model on some of its tasks.

    Those of the folder `include_path` alone, if it is given: nothing else is then read, or looked
    for on the hub. limit: of the rows of each task. shots: None takes the task's own number. With
    `chat` the model's template is used, and shots are turns. Raises ConfigError for unknown tasks
    and for what the harness raises about them.
    """
    check_installed()
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    path = None if include_path is None else str(include_path)
    manager = TaskManager(include_path=path, include_defaults=path is None)
    for name in tasks:
        if not manager.match_tasks([name]):
            raise unknown("task", name, manager.all_tasks, ConfigError)
    with _quiet(), explained("lm-evaluation-harness fails", error=ConfigError, got=list(tasks)):
        found = simple_evaluate(
            model=lm,
            tasks=list(tasks),
            num_fewshot=shots,
            limit=limit,
            apply_chat_template=chat,
            fewshot_as_multiturn=chat,
            task_manager=manager,
            log_samples=True,
        )
    return dict(found or {})


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the harness reports of the machine."""
    from lm_eval import evaluator

    before = {name: getattr(evaluator, name) for name in REPORTS if hasattr(evaluator, name)}
    for name in before:
        setattr(evaluator, name, lambda *_: None)
    try:
        yield
    finally:
        for name, report in before.items():
            setattr(evaluator, name, report)
