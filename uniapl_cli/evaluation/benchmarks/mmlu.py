"""MMLU: 14,042 questions of 57 subjects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uniapl_cli.evaluation.benchmarks.benchmark import ChoiceItem, Item, benchmarks
from uniapl_cli.evaluation.benchmarks.exams import Exam, LetterLikelihood
from uniapl_cli.evaluation.benchmarks.questions import Choices, asked, step_by_step
from uniapl_cli.types import Likelihood
from uniapl_cli.upstream import Upstream


def _spaced(subject: str) -> str:
    return subject.replace("_", " ")


# The doubled space is in the official prompt.
MMLU = Exam(
    solved="dev",
    asked="test",
    subject=_spaced,
    header="The following are multiple choice questions (with answers) about  {}.\n\n",
    cue="\nAnswer:",
    letter=" {}",
    named=False,
)
UPSTREAM = Upstream(
    host="dataset",
    repo="cais/mmlu",
    revision="c30699e8356da336a370243923dbaf21066bb9fe",
    files={
        name: name for name in ("all/dev-00000-of-00001.parquet", "all/test-00000-of-00001.parquet")
    },
    licence="MIT",
    sha256={
        "all/test-00000-of-00001.parquet": (
            "74a41822ce7d3def56e1682f958469c04642a5336a5ce912fa375fdb90fb25d7"
        )
    },
    folder="mmlu",
)


@benchmarks.register("mmlu")
class Mmlu(Choices):
    """MMLU (arXiv 2009.03300) asked of a chat model.

    Prompt and reading: simple-evals, zero-shot, "Answer: X" behind a chain of thought
    (openai/simple-evals: common.py, mmlu_eval.py); here the last one counts. Main: the mean over
    rows, as hendrycks/test: evaluate.py; the mean over subjects stands beside it.
    """

    title = "MMLU"
    rule = "answer-line-0shot/1"
    domain = "English"
    upstream = UPSTREAM

    def items(self, data: Path) -> list[Item]:
        """Read the hub's files, or its authors'."""
        return [asked(one, step_by_step(one), "announced") for one in MMLU.questions(data)]


@benchmarks.register("mmlu_ll")
class MmluLikelihood(LetterLikelihood):
    """MMLU by the log-likelihoods of " A" to " D", without a chat.

    Prompt and metric: hendrycks/test: evaluate.py, whose shots are the first five of `dev`; where
    they do not fit it drops some, and here they are refused. Main: the mean over rows.
    """

    title = "MMLU (letters' likelihood)"
    rule = "letter-likelihood/1"
    upstream = UPSTREAM
    exam = MMLU


@benchmarks.register("mmlu_cloze")
class MmluCloze(Choices):
    """MMLU by the log-likelihood of each option's text, zero-shot, without letters or a chat.

    Prompt: huggingface/smollm@a041759: text/evaluation/smollm2/tasks.py, `mmlu_cloze_prompt`.
    Main: `loglikelihood_acc_norm_nospace` of huggingface/lighteval@ea46419, the commit that its
    requirements.txt names: log-likelihood by characters of the option without its first space
    (src/lighteval/metrics/normalizations.py); `accuracy` is by the sum. Means over rows, as there.
    """

    title = "MMLU (options' likelihood)"
    rule = "text-likelihood-0shot/1"
    main = "accuracy_norm"
    upstream = UPSTREAM

    def items(self, data: Path) -> list[ChoiceItem]:
        """Read the rows as mmlu does."""
        return [
            ChoiceItem(
                one.id,
                f"The following are questions about {_spaced(one.subject)}.\n"
                f"Question: {one.text}\nAnswer:",
                tuple(f" {option}" for option in one.options),
                one.gold,
                one.subject,
                one.origin,
            )
            for one in MMLU.questions(data)
        ]

    def scores(self, item: ChoiceItem, likelihoods: Sequence[Likelihood]) -> dict[str, list[float]]:
        """Return the sums, and the sums by characters."""
        scored = list(zip(item.options, likelihoods, strict=True))
        by_character = [one.logp / max(1, len(option) - 1) for option, one in scored]
        return {**super().scores(item, likelihoods), "accuracy_norm": by_character}
