"""TRL's GRPO steps on the same prompts, with the same verifiers as the reward."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from benchmarks.engines.laps import Callback, Laps
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.verifiers import constraints, judge


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
        self.laps, model = Laps(), resolve(job["model"])
        self.folder = tempfile.TemporaryDirectory()
        rows = job["groups"] * job["group"]
        args = GRPOConfig(
            output_dir=self.folder.name,
            max_steps=job["steps"],
            per_device_train_batch_size=job["rows_a_pass"],
            gradient_accumulation_steps=rows // job["rows_a_pass"],
            num_generations=job["group"],
            max_completion_length=job["new_tokens"],
            learning_rate=job["lr"],
            lr_scheduler_type="constant",
            temperature=1.0,
            generation_kwargs={"min_new_tokens": job["new_tokens"]} if job["forced"] else None,
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
            model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
            reward_funcs=reward,
            args=args,
            train_dataset=dataset(Path(resolve(job["prompts"]))),
            processing_class=AutoTokenizer.from_pretrained(model),
            callbacks=[Callback(self.laps, rest="update")],
        )
        self.laps.watch(self.trainer, "_generate", "generate")
        self.laps.watch(self.trainer, "_calculate_rewards", "reward")
        self()

    def __call__(self) -> dict[str, Any]:
        self.laps.clear()
        self.trainer.train()
        lengths = [line.get("completions/mean_length") for line in self.trainer.state.log_history]
        value = next(length for length in reversed(lengths) if length is not None)
        return {**self.laps.figures(), "value": value}


def load(job: dict[str, Any]) -> Trl:
    return Trl(job)
