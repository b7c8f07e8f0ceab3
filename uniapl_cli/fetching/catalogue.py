"""The paper's models and training sets. Benchmarks name their files themselves."""

from __future__ import annotations

from collections.abc import Mapping

from uniapl_cli.upstream import Upstream

_SHARDS = tuple(f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3))
_INDEX = "model.safetensors.index.json"
# Of every Qwen3 model here, and of those with and without a chat.
_QWEN = {
    "merges.txt": "8831e4f1a044471340f7c0a83d7bd71306a5b867e95fd870f74d0c5308a904d5",
    "vocab.json": "ca10d7e9fb3ed18575dd1e277a2579c16d108e32f27439684afa0e10b1440910",
}
_CHAT = {
    **_QWEN,
    "generation_config.json": "2325da0f15bb848e018c5ae071b7943332e9f871d6b60e2ed22ca97d4cb993d2",
    "tokenizer.json": "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
    "tokenizer_config.json": "d5d09f07b48c3086c508b30d1c9114bd1189145b74e982a265350c923acd8101",
}
_BASE = {
    **_QWEN,
    "generation_config.json": "8c970692323e3ea0e9b8b0a4dca79388d31226e41f83c9fd6014804280ebf6e8",
    "tokenizer.json": "c0382117ea329cdf097041132f6d735924b697924d6f6fc3945713e96ce87539",
    "tokenizer_config.json": "3c04ed3ca964ea2f6b2b5faf0dc4d31aec1cb1e8b4bcf63f402d295046b422b5",
}


def _qwen(repo: str, revision: str, size: int, sums: Mapping[str, str]) -> Upstream:
    """Return a Qwen3 model of `size` bytes; `sums` are those of its config and weights."""
    sums = {**(_BASE if repo.endswith("-Base") else _CHAT), **sums}
    files = {name: name for name in sums}
    return Upstream("model", f"Qwen/{repo}", revision, files, "Apache-2.0", sums, size)


def _polar(repo: str) -> Upstream:
    """Return a POLAR model; its code stays on the hub, the program has its own."""
    paths = ("*.json", "*.model", "*.safetensors|pytorch_model*.bin")
    files = {path: path for path in paths}
    return Upstream("model", f"internlm/{repo}", None, files, "Apache-2.0")


MODELS: Mapping[str, Upstream] = {
    "qwen3-0.6b": _qwen(
        "Qwen3-0.6B",
        "c1899de289a04d12100db370d81485cdf75e47ca",
        1_519_182_365,
        {
            "config.json": "660db3b73d788119c04535e48cf9be5f55bc3100841a718637ae695b442f27dd",
            "model.safetensors": "f47f71177f32bcd101b7573ec9171e6a57f4f4d31148d38e382306f42996874b",
        },
    ),
    "qwen3-0.6b-base": _qwen(
        "Qwen3-0.6B-Base",
        "da87bfb608c14b7cf20ba1ce41287e8de496c0cd",
        1_203_625_970,
        {
            "config.json": "504a6b58c4271583724e66584b6b7698aea18450209df6b2f7582df0e89cee59",
            "model.safetensors": "cd2a512003e2f9f3cd3c32a9c3573f820bb28c940f73c57b1ddaa983d9223eba",
        },
    ),
    "qwen3-4b": _qwen(
        "Qwen3-4B",
        "1cfa9a7208912126459214e8b04321603b3df60c",
        8_060_896_856,
        {
            "config.json": "8ba006f74fecfaaeb392872a60f4a480e7ec9860153d2e1b769ec81f9a147f8a",
            _SHARDS[0]: "328a91d3122359d5547f9d79521205bc0a46e1f79a792dfe650e99fc2d651223",
            _SHARDS[1]: "6cd087b316306a68c562436b5492edbcf6e16c6dba3a1308279caa5a58e21ca5",
            _SHARDS[2]: "e4bf436957184f4eeb86a80e9db394503f1f56446b2e6b7edeac5b81470f4ca1",
            _INDEX: "6dc0981b8829fead746441f68f38f24c5ca4a3a66351f652c26c6df0efc43ab2",
        },
    ),
    "qwen3-4b-base": _qwen(
        "Qwen3-4B-Base",
        "906bfd4b4dc7f14ee4320094d8b41684abff8539",
        8_056_505_693,
        {
            "config.json": "304b2545a258d35620f1d4bf46940c0471d9baa00715ff8e77f84c2fca5057c1",
            _SHARDS[0]: "4c807e2503d68ae373d508689d00a41f4b33f33c2536da97ab81a20caddc1241",
            _SHARDS[1]: "f4707585548b2fc75a6b1d732e8465c62040a8699903c32850781beeb9b27826",
            _SHARDS[2]: "c7b1aa8fb672de2e00423c99876926022e50b18d4f0d140670788510a27f9965",
            _INDEX: "d6c42883a895dfef5b0080ed2116a1bcd764f558406b98923d675978a1abf29c",
        },
    ),
    "polar-1.8b": _polar("POLAR-1_8B"),
    "polar-7b": _polar("POLAR-7B"),
}

# The paper's teacher: some 470 GB for a server of its own, so only who names it fetches it.
TEACHERS: Mapping[str, Upstream] = {
    "qwen3-235b-instruct-2507": Upstream(
        "model",
        "Qwen/Qwen3-235B-A22B-Instruct-2507",
        "ac9c66cc9b46af7306746a9250f23d47083d689e",
        {path: path for path in ("*.json", "*.txt", "*.jinja", "*.safetensors")},
        "Apache-2.0",
    )
}

_SUBJECTS = (
    *("algebra", "counting_and_probability", "geometry", "intermediate_algebra"),
    *("number_theory", "prealgebra", "precalculus"),
)

TRAINING: Mapping[str, Upstream] = {
    "autoif": Upstream(
        "dataset",
        "Post-training-Data-Flywheel/AutoIF-instruct-61k-with-funcs",
        None,
        {"*.parquet": "*.parquet"},
        "not stated (without functions: Apache-2.0)",
        bytes=72_781_533,
    ),
    "ifeval_like": Upstream(
        "dataset",
        "argilla/ifeval-like-data",
        None,
        {"filtered/*.parquet": "filtered/*.parquet"},
        "Qwen licence",
        bytes=31_864_315,
    ),
    "if_multi": Upstream(
        "dataset",
        "allenai/IF_multi_constraints_upto5",
        "2e3a77407b7fce69f95b248d64a884e3ae1c2423",
        {"train.parquet": "data/train-00000-of-00001.parquet"},
        "ODC-BY-1.0",
    ),
    "gsm8k_train": Upstream(
        "github",
        "openai/grade-school-math",
        "3101c7d5072418e28b9008a6636bde82a006892c",
        {"train.jsonl": "grade_school_math/data/train.jsonl"},
        "MIT",
        {"train.jsonl": "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465"},
        bytes=4_166_206,
    ),
    "math_train": Upstream(
        "dataset",
        "EleutherAI/hendrycks_math",
        "21a5633873b6a120296cce3e2df9d5550074f4a3",
        {f"{name}.parquet": f"{name}/train-00000-of-00001.parquet" for name in _SUBJECTS},
        "MIT",
    ),
}
