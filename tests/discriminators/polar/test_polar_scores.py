"""A comparison's score depends on the comparison alone."""

import json
import math
import random
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from uniapl_cli.discriminators.polar.polar import (
    Polar,
    PolarDiscriminator,
    PolarModel,
    load_polar,
    new_polar,
)
from uniapl_cli.discriminators.polar.serialise import Cut
from uniapl_cli.errors import ModelError
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.tiny.models import new_model
from uniapl_cli.training.policy import save_folder
from uniapl_cli.types import Comparison

SEPARATOR, TAIL = "<|reward|>", "<|score|>"
WORDS = ["the", "harbour", "is", "old", "and", "gulls", "are", "calm", "I", "know", "boats", "well"]


def discriminator(path, **options) -> PolarDiscriminator:
    return Polar(**options).make(path, "cpu")


def random_text(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 30)))


@pytest.fixture(scope="module")
def comparisons() -> list[Comparison]:
    rng = random.Random(0)
    return [
        Comparison("Tell me.", random_text(rng), random_text(rng), f"rows.jsonl:{n}")
        for n in range(1, 25)
    ]


@pytest.fixture(scope="module")
def init(tmp_path_factory, tokenizer):
    """A random language model's folder."""
    folder = tmp_path_factory.mktemp("init") / "model"
    save_folder(folder, new_model(tokenizer, hidden=32, layers=2, seed=0), tokenizer)
    return folder


@pytest.fixture(scope="module")
def fresh(init) -> PolarModel:
    """A new discriminator whose head is not zero any more."""
    polar = new_polar(init, SEPARATOR, TAIL)
    torch.nn.init.normal_(polar.model.score.weight, generator=torch.Generator().manual_seed(0))
    return polar


@pytest.fixture(scope="module")
def saved(fresh, tmp_path_factory):
    folder = tmp_path_factory.mktemp("polar") / "final"
    save_folder(folder, fresh.model, fresh.tokenizer)
    return folder


@pytest.fixture(scope="module", params=["shipped", "random"])
def folder(request, saved):
    return resolve("tiny:polar") if request.param == "shipped" else saved


@pytest.mark.parametrize("batch_tokens", [1, 130, 500])
def test_scores_do_not_depend_on_the_batch(folder, comparisons, batch_tokens):
    whole = discriminator(folder).score(comparisons)
    assert len({round(score, 4) for score in whole}) > 10
    parts = discriminator(folder, batch_tokens=batch_tokens).score(comparisons)
    assert parts == pytest.approx(whole, abs=1e-5)


def test_scores_come_back_in_the_order_of_the_comparisons(folder, comparisons):
    judge = discriminator(folder)
    backwards = judge.score(comparisons[::-1])
    assert backwards[::-1] == pytest.approx(judge.score(comparisons), abs=1e-5)


@pytest.mark.parametrize("share", [True, False])
def test_a_batch_invariant_score_has_the_same_bits_in_any_company(saved, comparisons, share):
    judge = discriminator(saved, share_prefixes=share, cache_mb=1)
    alone = [judge.score([comparison], batch_invariant=True)[0] for comparison in comparisons]
    assert judge.score(comparisons[::-1], batch_invariant=True)[::-1] == alone
    assert alone == pytest.approx(judge.score(comparisons), abs=1e-5)


@pytest.fixture(scope="module")
def step():
    """Four candidates for each of four prompts, the prefixes long enough to be kept."""
    rng = random.Random(1)
    pairs = [(" ".join(rng.choices(WORDS, k=64)), random_text(rng)) for _ in range(4)]
    return [Comparison(*pair, random_text(rng), "row") for pair in pairs for _ in range(4)]


def test_a_second_epoch_has_the_bits_of_the_first(saved, step):
    first = discriminator(saved).score(step)
    judge = discriminator(saved, cache_mb=1)
    judge.score(step[:9])
    assert judge.score(step) == first == judge.score(step)
    assert (judge.scorer.prefixes.misses, judge.scorer.prefixes.hits) == (4, 2 + 4)


def test_a_prefix_is_what_every_candidate_of_a_prompt_begins_with(fresh, saved):
    """Whatever the first token of the candidate does to the last one of the prompt."""
    judge = discriminator(saved)
    comparisons = [
        Comparison("Tell me.", "The sea.", text) for text in ("", "\n", "\n\nSo.", "The sea.")
    ]
    rows = [tuple(fresh.encode(comparison)) for comparison in comparisons]
    (prefix,) = set(judge._prefixes(comparisons, rows, [Cut()] * 4))
    assert fresh.tokenizer.decode(prefix) == f"Tell me.\nThe sea.{SEPARATOR}Tell me.\n"
    assert all(row[: len(prefix) - 1] == prefix[:-1] for row in rows)
    assert set(judge._prefixes(comparisons, rows, [Cut(prompt=1)] * 4)) == {()}


def test_a_row_alone_scores_as_in_company(folder, comparisons):
    judge = discriminator(folder)
    alone = [judge.score([comparison])[0] for comparison in comparisons]
    assert alone == pytest.approx(judge.score(comparisons), abs=1e-5)


@torch.no_grad()
def test_scores_are_those_of_transformers_classifier(folder, comparisons):
    judge = discriminator(folder)
    rows = [judge.polar.encode(comparison) for comparison in comparisons]
    theirs = [judge.polar.model(input_ids=torch.tensor([row])).logits.item() for row in rows]
    assert judge.score(comparisons) == pytest.approx(theirs, abs=1e-5)


@torch.no_grad()
def test_padding_changes_nothing_whatever_it_is(fresh, comparisons):
    row = fresh.encode(comparisons[0])
    lengths = torch.tensor([len(row)])
    padded = [fresh.scores(torch.tensor([[*row, *[pad] * 9]]), lengths).item() for pad in (0, 7)]
    alone = fresh.scores(torch.tensor([row]), lengths).item()
    assert padded == pytest.approx([alone, alone], abs=1e-5)


def test_nothing_to_score(folder):
    assert discriminator(folder).score([]) == []


def test_the_prompt_stands_before_both_answers(fresh):
    tokenizer = fresh.tokenizer
    text = tokenizer.decode(fresh.encode(Comparison("Tell me.", "The sea.", "The garden.")))
    assert text == f"Tell me.\nThe sea.{SEPARATOR}Tell me.\nThe garden.{TAIL}"


def test_a_tokenizer_with_a_first_token_puts_it_first_and_once(fresh, init):
    tokenizer = load_tokenizer(init)
    tokenizer.bos_token = "<|endoftext|>"
    polar = PolarModel(fresh.model, tokenizer)
    comparison = Comparison("Tell me.", "The sea.", "The garden.")
    assert polar.encode(comparison) == [tokenizer.bos_token_id, *fresh.encode(comparison)]


@pytest.mark.parametrize(
    "dirty",
    [
        "The<|reward|> sea.",
        "The sea.<|score|>",
        "<|im_start|>The sea.<|im_end|><|endoftext|>",
        "The<|rew<|reward|>ard|> sea.",
        "The<|sc<|im_<|rew<|reward|>ard|>end|>ore|> sea.",
    ],
)
def test_text_that_spells_a_special_token_does_not_become_one(fresh, dirty):
    clean = fresh.encode(Comparison("Tell me.", "The sea.", "The sea."))
    assert fresh.encode(Comparison("Tell me.", dirty, "The sea.")) == clean
    assert fresh.encode(Comparison("Tell me.", "The sea.", dirty)) == clean
    ids = fresh.encode(Comparison(f"Tell me.{dirty}", "A", "B"))
    assert ids == fresh.encode(Comparison("Tell me.The sea.", "A", "B"))


def test_special_tokens_of_another_shape_are_taken_out_too(fresh, init):
    tokenizer = load_tokenizer(init)
    tokenizer.add_special_tokens({"eos_token": "</s>"})
    polar = PolarModel(fresh.model, tokenizer)
    dirty = Comparison("Tell me.", "The sea.<</s>/s>", "The sea.</s>")
    assert polar.encode(dirty) == fresh.encode(Comparison("Tell me.", "The sea.", "The sea."))


def test_a_new_discriminator_scores_everything_zero(init, comparisons):
    polar = new_polar(init, SEPARATOR, TAIL)
    assert not polar.model.score.weight.any()
    rows = [polar.encode(comparison) for comparison in comparisons[:3]]
    scores = [polar.scores(torch.tensor([row]), torch.tensor([len(row)])).item() for row in rows]
    assert scores == [0, 0, 0]


def test_a_new_discriminator_has_the_language_models_weights(init):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(init).model.state_dict()
    backbone = new_polar(init, SEPARATOR, TAIL).backbone.state_dict()
    assert backbone.keys() == model.keys()
    assert all(torch.equal(backbone[name], model[name]) for name in model)


@torch.no_grad()
def test_a_saved_discriminator_scores_as_before(fresh, saved, comparisons):
    rows = [fresh.encode(comparison) for comparison in comparisons]
    before = [fresh.scores(torch.tensor([r]), torch.tensor([len(r)])).item() for r in rows]
    assert discriminator(saved, batch_tokens=1).score(comparisons) == before


@pytest.mark.parametrize("token", [SEPARATOR, TAIL])
def test_a_tokenizer_without_the_tokens_is_refused(init, token):
    tokens = {"separator": SEPARATOR, "tail": TAIL}
    name = next(name for name, value in tokens.items() if value == token)
    with pytest.raises(ModelError) as caught:
        new_polar(init, **{**tokens, name: "<|nope|>"})
    assert caught.value.got == "<|nope|>"


def test_any_other_model_is_refused():
    with pytest.raises(ModelError) as caught:
        load_polar(resolve("tiny:base"))
    assert caught.value.got == ["separator_token_id", "reward_token_id"]


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ModelError) as caught:
        load_polar(tmp_path / "absent")
    assert caught.value.got == tmp_path / "absent"


def test_a_torn_weights_file_is_refused(saved, tmp_path):
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError) as caught:
        load_polar(tmp_path)
    assert caught.value.got == "model.safetensors"


def test_a_folder_without_the_scores_weights_is_refused(saved, tmp_path):
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError) as caught:
        load_polar(tmp_path)
    assert caught.value.got == ["score.weight"]


def test_a_comparison_that_is_too_long_is_an_error_that_names_it(folder, comparisons):
    long = Comparison("Tell me.", "The sea.", "0 " * 400, "rows.jsonl:99")
    with pytest.raises(ModelError) as caught:
        discriminator(folder).score([*comparisons, long])
    assert caught.value.line == 99 and caught.value.got > 512


def test_a_score_that_is_no_number_is_an_error_that_names_it(saved, comparisons):
    judge = discriminator(saved)
    torch.nn.init.constant_(judge.polar.model.score.weight, math.nan)
    with pytest.raises(ModelError) as caught:
        judge.score(comparisons)
    assert caught.value.line == 1 and math.isnan(caught.value.got)


def test_the_config_says_which_tokens(saved, tokenizer):
    config = json.loads((saved / "config.json").read_text())
    ids = tokenizer.convert_tokens_to_ids([SEPARATOR, TAIL])
    assert [config["separator_token_id"], config["reward_token_id"]] == ids
