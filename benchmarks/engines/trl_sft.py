"""TRL's SFT steps on the same rows."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from benchmarks.engines.sft_job import labelled, peak_gib, read_batch


class Clock(TrainerCallback):
    """The process's seconds of each step, from its beginning to its end."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.began = time.process_time()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.process_time() - self.began)


class Trl:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.clock = Clock()
        self.folder = tempfile.TemporaryDirectory()
        tokenizer = AutoTokenizer.from_pretrained(job["model"])
        args = SFTConfig(
            output_dir=self.folder.name,
            max_steps=job["steps"],
            per_device_train_batch_size=job["trl_rows"],
            gradient_accumulation_steps=job["rows"] // job["trl_rows"],
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
            model=AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32),
            args=args,
            train_dataset=Dataset.from_list(labelled(read_batch(job, tokenizer))),
            processing_class=tokenizer,
            callbacks=[self.clock],
        )
        self()

    def __call__(self) -> dict[str, Any]:
        self.clock.seconds.clear()
        self.trainer.train()
        losses = [line["loss"] for line in self.trainer.state.log_history if "loss" in line]
        return {"step_seconds": self.clock.seconds[:], "loss": losses[-1], "peak_gib": peak_gib()}


def load(job: dict[str, Any]) -> Trl:
    return Trl(job)
