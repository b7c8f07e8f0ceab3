"""TRL's SFT steps on the same rows."""

from __future__ import annotations

import tempfile
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from benchmarks.engines.laps import Callback, Laps
from benchmarks.engines.sft_job import labelled, read_batch
from uniapl_cli.tiny.assets import resolve


class Trl:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.laps, model = Laps(), resolve(job["model"])
        self.folder = tempfile.TemporaryDirectory()
        tokenizer = AutoTokenizer.from_pretrained(model)
        args = SFTConfig(
            output_dir=self.folder.name,
            max_steps=job["steps"],
            per_device_train_batch_size=job["rows_a_pass"],
            gradient_accumulation_steps=job["rows"] // job["rows_a_pass"],
            max_length=None,
            learning_rate=job["lr"],
            lr_scheduler_type="constant",
            gradient_checkpointing=False,  # its default would cost it another forward pass
            use_cpu=True,
            bf16=False,
            report_to="none",
            logging_steps=job["steps"],
            save_strategy="no",
            disable_tqdm=True,
        )
        self.trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
            args=args,
            train_dataset=Dataset.from_list(labelled(read_batch(job, tokenizer))),
            processing_class=tokenizer,
            callbacks=[Callback(self.laps)],
        )
        self()

    def __call__(self) -> dict[str, Any]:
        self.laps.clear()
        self.trainer.train()
        losses = [line["loss"] for line in self.trainer.state.log_history if "loss" in line]
        return {**self.laps.figures(), "value": losses[-1]}


def load(job: dict[str, Any]) -> Trl:
    return Trl(job)
