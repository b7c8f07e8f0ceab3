"""TRL's GRPO steps on the same prompts, with the same verifiers as the reward."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from uniapl_cli.verifiers import constraints, judge


class Clock(TrainerCallback):
    """Seconds of each step, from its beginning to its end."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.began = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def reward(completions: list[Any], instructions: list[str], **_: Any) -> list[float]:
    """Return the share of the instructions that a response follows."""
    values = []
    for (turn,), text in zip(completions, instructions, strict=True):
        names, kwargs = json.loads(text)
        verdict = judge(turn["content"], constraints(names, kwargs), loose=False)
        values.append(sum(verdict.strict) / len(verdict.strict))
    return values


def dataset(file: Path) -> Dataset:
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": row["prompt"]}],
                # As text, or datasets fills every row with the keys of all others.
                "instructions": json.dumps([row["instruction_id_list"], row["kwargs"]]),
            }
            for row in rows
        ]
    )


class Trl:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.clock = Clock()
        self.folder = tempfile.TemporaryDirectory()
        rows = job["groups"] * job["group"]
        args = GRPOConfig(
            output_dir=self.folder.name,
            max_steps=job["steps"],
            per_device_train_batch_size=job["micro_batch"],
            gradient_accumulation_steps=rows // job["micro_batch"],
            num_generations=job["group"],
            max_completion_length=job["new_tokens"],
            learning_rate=job["lr"],
            lr_scheduler_type="constant",
            temperature=1.0,
            chat_template_kwargs={"enable_thinking": False},  # as here by default
            gradient_checkpointing=False,  # its default would cost it another forward pass
            use_cpu=True,
            bf16=job["dtype"] == "bfloat16",
            report_to="none",
            logging_steps=job["steps"],
            save_strategy="no",
            disable_tqdm=True,
        )
        self.trainer = GRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32),
            reward_funcs=reward,
            args=args,
            train_dataset=dataset(Path(job["prompts"])),
            processing_class=AutoTokenizer.from_pretrained(job["model"]),
            callbacks=[self.clock],
        )
        self()

    def __call__(self) -> dict[str, Any]:
        self.clock.seconds.clear()
        self.trainer.train()
        lengths = [line.get("completions/mean_length") for line in self.trainer.state.log_history]
        return {
            "step_seconds": self.clock.seconds[:],
            "mean_length": next(length for length in reversed(lengths) if length is not None),
        }


def load(job: dict[str, Any]) -> Trl:
    return Trl(job)
