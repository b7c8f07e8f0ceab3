"""CMMLU: 11,582 questions of 67 subjects, in Chinese."""

from __future__ import annotations

from uniapl_cli.evaluation.benchmarks.benchmark import benchmarks
from uniapl_cli.evaluation.benchmarks.chinese import ChineseExam
from uniapl_cli.evaluation.benchmarks.exams import Exam, LetterLikelihood, named
from uniapl_cli.evaluation.benchmarks.subject_names import CMMLU_NAMES
from uniapl_cli.upstream import Upstream

CMMLU = Exam(
    solved="dev",
    asked="test",
    subject=named(CMMLU_NAMES),
    header="以下是关于{}的单项选择题，请直接给出正确答案的选项。\n\n",
    before="题目：",
    cue="\n答案是：",
)
UPSTREAM = Upstream(
    host="github",
    repo="haonan-li/CMMLU",
    revision="d6e7b716d8ac694f38969a6c0407437d1fded799",
    files={
        f"{split}/{subject}.csv": f"data/{split}/{subject}.csv"
        for split in ("dev", "test")
        for subject in CMMLU_NAMES
    },
    licence="CC-BY-NC-SA-4.0",
    sha256={"*": "cf814f71c963a9db7cceb7d694ef738c91c4b6b4e93f89aead254421f6954bd1"},
    bytes=2_461_504,
    folder="cmmlu",
)


@benchmarks.register("cmmlu")
class Cmmlu(ChineseExam):
    """CMMLU (arXiv 2306.09212) asked of a chat model.

    Prompt: the header and form of haonan-li/CMMLU: src/mp_utils.py with `cot`, zero-shot, and that
    the answer stands on the last line. Reading: the last "答案：X", else the phrases there, without
    its random letter. Main: the mean of the subjects' means, as there; `_rows` is over rows.
    """

    title = "CMMLU"
    rule = "answer-line-cot/1"
    upstream = UPSTREAM
    exam = CMMLU
    header = "以下是关于{}的单项选择题，请分析并选出正确答案。\n\n"


@benchmarks.register("cmmlu_ll")
class CmmluLikelihood(LetterLikelihood):
    """CMMLU by the log-likelihoods of "A" to "D", without a chat.

    Prompt and metric: haonan-li/CMMLU: src/mp_utils.py and src/hf_causal_model.py; where shots do
    not fit it drops some, and here they are refused. Main: the mean of the subjects' means.
    """

    title = "CMMLU (letters' likelihood)"
    rule = "letter-likelihood/1"
    over_subsets = True
    upstream = UPSTREAM
    exam = CMMLU
