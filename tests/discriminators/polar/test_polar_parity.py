"""Ids and scores of the official client and model, on its own checkpoint layout."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from uniapl_cli.discriminators.polar.polar import Polar, PolarDiscriminator, load_polar
from uniapl_cli.errors import ModelError
from uniapl_cli.types import Comparison

POLAR = Path(__file__).parents[3].parent / "shared" / "data" / "polar"
TINY = POLAR / "tiny_a"
# The client takes special strings out once, which spells a new separator; here none is left.
STRICTER = {"a-special-08"}
# The published ids of the capital of China, from the true tokenizer.
ASKED = [3993, 505, 410, 6872, 446, 5772, 5426]
GOLDEN = {"Beijing.": [3591, 24004, 281], "Shanghai.": [2166, 30326, 281]}

pytestmark = [
    pytest.mark.slow,  # each reads a checkpoint
    pytest.mark.shared,
    pytest.mark.skipif(not TINY.is_dir(), reason="shared/data/polar/tiny_a is not here"),
]


@pytest.fixture(scope="module", autouse=True)
def no_remote_code():
    """Importing a checkpoint's modules, as remote code does, fails."""
    import transformers.dynamic_module_utils as dynamic

    def refuse(*_, **__):
        raise AssertionError("code of the checkpoint was about to run")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("get_class_in_module", "get_class_from_dynamic_module"):
            patch.setattr(dynamic, name, refuse)
        yield


@pytest.fixture(scope="module")
def judge() -> PolarDiscriminator:
    return Polar().make(TINY, "cpu")


def text(content) -> str:
    return content if isinstance(content, str) else "\n".join(m["content"] for m in content)


def compared(row) -> Comparison:
    return Comparison(*(text(row[part]) for part in ("prompt", "reference", "output")), row["id"])


@pytest.fixture(scope="module")
def rows():
    with (TINY / "cases.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def digest(ids) -> dict:
    listed = ",".join(map(str, ids)).encode()
    sha = hashlib.sha256(listed).hexdigest()
    return {"length": len(ids), "first": ids[:20], "last": ids[-20:], "sha256": sha}


def test_the_ids_are_the_official_clients(judge, rows):
    different = set()
    for row in rows:
        ids = judge.polar.encode(compared(row))
        same = ids == row["expected_ids"] or digest(ids) == row["expected_ids_digest"]
        different |= set() if same else {row["id"]}
    assert len(rows) == 80 and different == STRICTER


@pytest.mark.parametrize("share", [True, False])
def test_the_scores_are_the_official_models(judge, rows, share):
    if not share:
        judge = Polar(share_prefixes=False).make(TINY, "cpu")
        rows = [row for row in rows if row["kind"] != "long"]
    kept = [row for row in rows if row["id"] not in STRICTER]
    scores = judge.score([compared(row) for row in kept])
    assert scores == pytest.approx([row["expected_score_fp32"] for row in kept], abs=1e-4)
    (odd,) = (row for row in rows if row["id"] in STRICTER)
    (score,) = judge.scorer([tuple(odd["expected_ids"])], [()])
    assert score == pytest.approx(odd["expected_score_fp32"], abs=1e-4)


@pytest.mark.parametrize("candidate", GOLDEN)
def test_the_published_ids(judge, candidate):
    ids = judge.polar.encode(Comparison("What is the capital of China?", "Beijing.", candidate))
    reference = [1, *ASKED, *GOLDEN["Beijing."], 92397]
    assert ids == [*reference, *ASKED, *GOLDEN[candidate], 92527]


def test_the_tail_as_text_is_what_the_fast_tokenizer_makes_of_it(judge):
    comparison = Comparison("What is the capital of China?", "Beijing.", "Beijing.")
    spelt = Polar(tail="text").make(TINY, "cpu").polar.encode(comparison)
    ids = judge.polar.encode(comparison)
    # The full stop before it is swallowed.
    assert spelt == [*ids[:-2], 8012, 2010, 15927, 18827, 284, 5926, 332]


def test_what_was_cut_is_counted_and_told(judge, rows, caplog):
    judge.truncations.clear()
    long = [compared(row) for row in rows if row["id"] in ("a-long-01", "a-long-04", "a-long-05")]
    judge.score(long)
    assert judge.truncations == {"candidate": 2}
    (message,) = caplog.messages
    assert "2 candidates" in message and "a-long-01" in message


@pytest.mark.parametrize("layout", ["pickle", "pickles", "shards"])
def test_weights_in_other_files(judge, rows, tmp_path, layout):
    for name in ("config.json", "tokenizer.model", "tokenizer_config.json"):
        shutil.copy(TINY / name, tmp_path)
    state = load_file(TINY / "model.safetensors")
    names = sorted(state)
    parts = [names] if layout == "pickle" else [names[::2], names[1::2]]
    stem, end = ("model", "safetensors") if layout == "shards" else ("pytorch_model", "bin")
    save = save_file if layout == "shards" else torch.save
    files = [f"{stem}{'' if len(parts) == 1 else f'-{n}'}.{end}" for n in range(len(parts))]
    for file, part in zip(files, parts, strict=True):
        save({name: state[name] for name in part}, tmp_path / file)
    if len(parts) > 1:
        where = {name: f for f, part in zip(files, parts, strict=True) for name in part}
        (tmp_path / f"{stem}.{end}.index.json").write_text(json.dumps({"weight_map": where}))
    comparisons = [compared(row) for row in rows[:6]]
    other = Polar().make(tmp_path, "cpu")
    assert other.score(comparisons) == judge.score(comparisons)
    if len(parts) > 1:
        (tmp_path / files[1]).unlink()
        with pytest.raises(ModelError) as caught:
            load_polar(tmp_path)
        assert caught.value.got == files[1]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("precision", "near"), [("bfloat16", 0.1), ("float32", 1e-4)])
def test_other_attention_and_precisions(rows, attention, precision, near):
    judge = Polar(attention=attention).make(TINY, "cpu", precision)
    assert judge.polar.backbone.config._attn_implementation == attention
    assert judge.polar.backbone.rotary_emb.inv_freq.dtype == torch.float32
    few = [row for row in rows if row["group"]]
    scores = judge.score([compared(row) for row in few])
    assert scores == pytest.approx([row["expected_score_fp32"] for row in few], abs=near)


def test_a_saved_official_checkpoint_is_one_of_ours(judge, rows, tmp_path):
    from uniapl_cli.training.policy import save_folder

    save_folder(tmp_path / "final", judge.polar.model, judge.polar.tokenizer)
    again = Polar().make(tmp_path / "final", "cpu")
    comparisons = [compared(row) for row in rows if row["kind"] != "long"]
    assert list(map(again.polar.encode, comparisons)) == list(map(judge.polar.encode, comparisons))
    assert again.score(comparisons) == judge.score(comparisons)


def altered(tmp_path, name, change):
    """Copy the checkpoint with one of its JSON files changed."""
    folder = tmp_path / "altered"
    shutil.copytree(TINY, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    values = json.loads((folder / name).read_text())
    change(values)
    (folder / name).write_text(json.dumps(values))
    return folder


def layer(number):
    """Return the names of a layer's weights."""
    attention = [f"self_attn.{part}_proj" for part in "kqvo"]
    mlp = [f"mlp.{part}_proj" for part in ("gate", "up", "down")]
    norms = ["input_layernorm", "post_attention_layernorm"]
    return sorted(f"model.layers.{number}.{part}.weight" for part in (*attention, *mlp, *norms))


def reward_ends(values):
    values["added_tokens_decoder"]["92527"] = values["added_tokens_decoder"].pop("92397")


# The file, what is changed in it, and what is then wrong; TINY stands for the folder.
REFUSED = [
    ("tokenizer_config.json", reward_ends, 92527),
    ("tokenizer_config.json", lambda v: v["added_tokens_decoder"].pop("92397"), TINY),
    ("config.json", lambda v: v.pop("reward_token_id"), ["reward_token_id"]),
    ("config.json", lambda v: v.update(bias=True), True),
    ("config.json", lambda v: v.update(rope_scaling={"type": "linear"}), {"type": "linear"}),
    ("config.json", lambda v: v.update(num_hidden_layers=3), 3),
    ("config.json", lambda v: v.update(num_hidden_layers=1), layer(1)),
    ("config.json", lambda v: v.update(vocab_size=92545), "model.embed_tokens.weight"),
    ("config.json", lambda v: v.update(vocab_size=92540), 92544),
    (
        "config.json",
        lambda v: v.update(architectures=["InternLM2ForCausalLM"]),
        ["separator_token_id"],
    ),
]


@pytest.mark.parametrize(("name", "change", "got"), REFUSED)
def test_any_other_checkpoint_is_refused(tmp_path, name, change, got):
    folder = altered(tmp_path, name, change)
    with pytest.raises(ModelError) as caught:
        load_polar(folder)
    assert caught.value.got == (folder if got is TINY else got)
    assert str(folder) in caught.value.problem


def test_dynamic_rope_scaling_changes_nothing_within_the_context(judge, rows, tmp_path):
    scaled = {"type": "dynamic", "factor": 2.0}
    folder = altered(tmp_path, "config.json", lambda v: v.update(rope_scaling=scaled))
    comparisons = [compared(row) for row in rows[:6]]
    same = Polar().make(folder, "cpu")
    assert same.score(comparisons) == judge.score(comparisons)


def test_pickles_of_anything_but_tensors_are_refused(tmp_path):
    folder = altered(tmp_path, "config.json", lambda values: None)
    (folder / "model.safetensors").unlink()
    torch.save({"v_head.weight": sys.exit}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError) as caught:
        load_polar(folder)
    assert caught.value.got == "pytorch_model.bin"


@pytest.mark.parametrize("keep", [0, 100, 70000])
def test_a_damaged_tokenizer_is_refused(tmp_path, keep):
    folder = altered(tmp_path, "config.json", lambda values: None)
    whole = (TINY / "tokenizer.model").read_bytes()
    (folder / "tokenizer.model").write_bytes(whole[:keep])
    with pytest.raises(ModelError) as caught:
        load_polar(folder)
    assert caught.value.got == "tokenizer.model"


def test_a_damaged_tokenizer_json_is_refused(tmp_path):
    folder = altered(tmp_path, "config.json", lambda values: None)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError) as caught:
        load_polar(folder)
    assert caught.value.got == "tokenizer.json"


def test_an_attention_that_is_not_there_is_refused():
    with pytest.raises(ModelError) as caught:
        load_polar(TINY, attention="nonsense")
    assert "nonsense" in caught.value.problem


def test_tokenizer_json_goes_before_tokenizer_model(judge, rows, tmp_path):
    folder = altered(tmp_path, "config.json", lambda values: None)
    judge.polar.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer.model").unlink()
    again = load_polar(folder)
    for row in (row for row in rows if row["kind"] != "long"):
        assert again.encode(compared(row)) == judge.polar.encode(compared(row))
