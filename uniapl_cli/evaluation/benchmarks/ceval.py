"""C-Eval: 1,346 questions of 52 subjects, in Chinese, whose answers are published with them."""

from __future__ import annotations

from uniapl_cli.evaluation.benchmarks.benchmark import benchmarks
from uniapl_cli.evaluation.benchmarks.chinese import ChineseExam
from uniapl_cli.evaluation.benchmarks.exams import Exam, LetterLikelihood, named
from uniapl_cli.evaluation.benchmarks.subject_names import CEVAL_NAMES
from uniapl_cli.upstream import Upstream

CEVAL = Exam(
    solved="dev",
    asked="val",
    subject=named(CEVAL_NAMES),
    header="以下是中国关于{}考试的单项选择题，请选出其中的正确答案。\n\n",
    cue="\n答案：",
)
UPSTREAM = Upstream(
    host="dataset",
    repo="ceval/ceval-exam",
    revision="3923b519fd180e689d0961bf3a032ece929742f3",
    files={name: name for name in ("dev/*.csv", "val/*.csv")},
    licence="CC-BY-NC-SA-4.0",
    sha256={
        "ceval-exam.zip": "68786deeea68ff089c56563ee48fab8160da857b77b913437bb504d681fd8e20",
    },
    bytes=1_548_171,
    folder="ceval",
    archive="ceval-exam.zip",
)


@benchmarks.register("ceval")
class Ceval(ChineseExam):
    """C-Eval (arXiv 2305.08322) asked of a chat model, on the split `val`.

    Prompt: the header and form of hkust-nlp/ceval: README.md, zero-shot, and that the answer stands
    on the last line. Reading: as of CMMLU. Main: the mean of the subjects' means, as there; `_rows`
    is over rows. Shots are the split `dev` with its explanations.
    """

    title = "C-Eval"
    rule = "answer-line-cot/1"
    upstream = UPSTREAM
    exam = CEVAL
    header = CEVAL.header


@benchmarks.register("ceval_ll")
class CevalLikelihood(LetterLikelihood):
    """C-Eval by the log-likelihoods of "A" to "D", without a chat, on the split `val`.

    Prompt and metric: the answer-only prompt of hkust-nlp/ceval: README.md, scored as in
    code/evaluator_series/evaluators/llama.py. Main: the mean of the subjects' means.
    """

    title = "C-Eval (letters' likelihood)"
    rule = "letter-likelihood/1"
    over_subsets = True
    upstream = UPSTREAM
    exam = CEVAL
