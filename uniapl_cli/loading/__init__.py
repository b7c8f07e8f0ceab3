"""Models, tokenizers and their files, from a folder or the hub: no remote code is run.

What is damaged is refused in one line that names the folder and the file, before any memory is
taken for what a config.json claims.
"""

from uniapl_cli.loading.configs import check_settings, check_token
from uniapl_cli.loading.files import hub_file, read_object
from uniapl_cli.loading.models import (
    context_length,
    context_of,
    load_pretrained,
    read_model_config,
)
from uniapl_cli.loading.multimodal import policy_class, processor_files
from uniapl_cli.loading.tokenizers import check_vocabulary, load_tokenizer

__all__ = [
    "check_settings",
    "check_token",
    "check_vocabulary",
    "context_length",
    "context_of",
    "hub_file",
    "load_pretrained",
    "load_tokenizer",
    "policy_class",
    "processor_files",
    "read_model_config",
    "read_object",
]
