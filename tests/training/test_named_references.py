"""References: averages that follow, and readers that are shown more before they answer."""

from dataclasses import replace

import pytest
import torch
from accumulating import accumulated_means
from rollout_cases import completion, example

from uniapl_cli.chat import Chat
from uniapl_cli.errors import DataError
from uniapl_cli.objectives import objectives
from uniapl_cli.readings import Divergence
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.average import Average
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.contexts import Contexts, Showing, right_answers, with_shown
from uniapl_cli.training.optim import trained
from uniapl_cli.training.references import InContext, ReferenceOptions, References
from uniapl_cli.training.terms import Term
from uniapl_cli.types import Message, Rollout

TEXT = "{prompt} (answer: {shown})"
# What each of the rollouts is shown of the others that are right.
RIGHT = ["yes", "ok", "ok", None, None]


def moved(policy, seed):
    """Move a policy's weights at random."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.add_(torch.randn(weight.shape, generator=rng))
    return {name: weight.detach().clone() for name, weight in policy.model.named_parameters()}


def average_of(policy, copy, share):
    return Average(copy, share, trained(policy.model))


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_an_average_is_the_sum_of_all_steps_at_falling_shares(new_policy, share):
    policy, copy = new_policy(), new_policy()
    average = average_of(policy, copy, share)
    steps = [{n: w.detach().clone() for n, w in policy.model.named_parameters()}]
    for seed in range(3):
        steps.append(moved(policy, seed))
        average.follow(trained(policy.model))
    shares = [(1 - share) ** 3, *(share * (1 - share) ** (2 - step) for step in range(3))]
    for name, weight in average.weights.items():
        values = zip(shares, steps, strict=True)
        expected = sum(part * step[name].double() for part, step in values)
        assert torch.allclose(weight.double(), expected, atol=1e-5)
    if share == 1:
        assert all(torch.equal(w, steps[-1][name]) for name, w in average.weights.items())


def test_an_average_has_no_gradient_and_leaves_the_policy_alone(new_policy, new_batch):
    policy, copy = new_policy(0), new_policy(0)
    average, before = average_of(policy, copy, 0.5), moved(policy, 1)
    average.follow(trained(policy.model))
    assert all(torch.equal(w, before[n]) for n, w in policy.model.named_parameters())
    term = Term("t", "s", lambda values: 1.0, objectives["kl"].definition)
    term = replace(term, objective=bound("kl", reference="average"), references=("average",))
    models = {"average": average.policy}
    batches = {"s": new_batch([3, 9])}
    means = accumulated_means(policy, [term], {"t": 1.0}, batches, 1, references=models)
    assert means["t"].value > 0
    assert all(weight.grad is None for weight in copy.model.parameters())


def bound(kind, **options):
    return objectives.bind(objectives.options(kind, **options))


@pytest.mark.parametrize("beside", [True, False])
def test_a_checkpoint_has_the_averages_to_the_bit(new_policy, new_optimizer, tmp_path, beside):
    def new_state(seed):
        policy = new_policy(seed)
        averages = {"slow": average_of(policy, new_policy(seed), 0.1)}
        return State(policy, new_optimizer(policy.model), {}, averages=averages)

    one, other = new_state(0), new_state(1)
    moved(one.trainable, 1)
    one.follow()
    checkpoints = Checkpoints(tmp_path, keep=1, beside=beside)
    with checkpoints.writer:
        checkpoints.save(1, one)
    assert checkpoints.resume(other) == 1
    assert one.weights.keys() == other.weights.keys()
    assert len(one.weights) == 2 * len(one.trained)
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_a_run_without_averages_keeps_what_it_kept(new_parts):
    parts = new_parts()
    assert list(parts.state.weights) == list(parts.state.trained)


@pytest.fixture
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture
def rollouts(chat):
    """Two groups of rollouts to prompts with demonstrations."""
    made = []
    for group, answers in enumerate((["ok", "no", "yes"], ["a b", "c"])):
        one = replace(example(), response=f"shown {group}")
        ids = tuple(chat.prompt_ids(one.prompt))
        for text in answers:
            tokens = chat.response_ids(text)
            made.append(Rollout(one, ids, completion(text, tokens=tokens), group))
    return made


@pytest.fixture
def batch(chat, rollouts):
    """The rollouts as a batch, of which some are right."""
    from uniapl_cli.data.collate import pad_rows

    pairs = [(r.prompt_ids, r.completion.token_ids) for r in rollouts]
    right = torch.tensor([True, False, True, False, False])
    tokens, mask = pad_rows(pairs, 0)
    return TokenBatch(tokens, mask, known={"right": right}, temperature=0.7)


def test_the_first_other_right_rollout_of_the_group_is_shown(rollouts, batch):
    shown = right_answers(rollouts, batch.known["right"])
    assert shown == RIGHT


def test_the_last_user_turn_is_put_into_the_text():
    system, first = Message("system", "Be."), Message("user", "Hi {shown}")
    turns = (system, first, Message("assistant", "So."), Message("user", "Why {shown}?"))
    found = with_shown(turns, "an {prompt}", TEXT)
    assert found[:3] == turns[:3]
    assert found[3].content == "Why {shown}? (answer: an {prompt})"


@pytest.mark.parametrize("what", ["demonstration", "right"])
def test_a_context_has_the_same_responses_behind_other_prompts(chat, rollouts, batch, what):
    contexts = Contexts(chat, {"self": Showing(what, TEXT)})
    context = contexts.added(batch, rollouts, ["self"]).contexts["self"]
    for row, rollout in enumerate(rollouts):
        ids = list(rollout.completion.token_ids)
        assert context.tokens[row, 1:][context.loss_mask[row]].tolist() == ids
        shown = f"shown {rollout.group}" if what == "demonstration" else RIGHT[row]
        prompt = with_shown(rollout.example.prompt, shown, TEXT) if shown else None
        expected = chat.prompt_ids(prompt) if prompt else list(rollout.prompt_ids)
        assert context.tokens[row, : len(expected)].tolist() == expected
    assert contexts.added(batch, rollouts, ["other"]) is batch


def test_a_row_without_a_demonstration_is_named(chat, rollouts, batch):
    bare = [replace(r, example=replace(r.example, response=None, origin="x:7")) for r in rollouts]
    with pytest.raises(DataError, match="x:7"):
        Contexts(chat, {"self": Showing("demonstration", TEXT)}).added(batch, bare, ["self"])


def test_a_row_that_counts_in_no_loss_counts_in_no_context(chat, rollouts, batch):
    mask = batch.loss_mask.clone()
    mask[1] = False
    contexts = Contexts(chat, {"self": Showing("demonstration", TEXT)})
    context = contexts.added(replace(batch, loss_mask=mask), rollouts, ["self"]).contexts["self"]
    assert context.loss_mask.any(1).tolist() == [True, False, True, True, True]


def in_context(chat, rollouts, batch, what="demonstration"):
    return Contexts(chat, {"self": Showing(what, TEXT)}).added(batch, rollouts, ["self"])


def test_a_reader_answers_behind_what_it_is_shown(new_policy, chat, rollouts, batch):
    reader = InContext(new_policy(1), "self")
    batch = in_context(chat, rollouts, batch)
    found = reader.forward(batch)
    for row, rollout in enumerate(rollouts):
        ids = list(rollout.completion.token_ids)
        prompt = with_shown(rollout.example.prompt, f"shown {rollout.group}", TEXT)
        before = chat.prompt_ids(prompt)
        tokens = torch.tensor([[*before, *ids]])
        logps = (reader.reader.model(tokens).logits[0].detach() / 0.7).log_softmax(-1)
        expected = [float(logps[len(before) - 1 + n, token]) for n, token in enumerate(ids)]
        assert found[row][batch.loss_mask[row]].tolist() == pytest.approx(expected, abs=1e-4)
    teacher = reader.teacher(batch)
    targets = batch.tokens[:, 1:][batch.loss_mask].unsqueeze(1)
    whole = teacher.logp(slice(None)).gather(1, targets).squeeze(1)
    assert torch.allclose(whole, found[batch.loss_mask], atol=1e-4)


@pytest.mark.parametrize("rows", [1, 2, 99])
@pytest.mark.parametrize("what", ["demonstration", "right"])
def test_the_gradient_does_not_depend_on_the_micro_batch(
    new_policy, chat, rollouts, batch, rows, what
):
    batch = replace(in_context(chat, rollouts, batch, what), old_logps=batch.loss_mask * -1.0)
    models = {"self": InContext(new_policy(1), "self")}
    whole = bound("divergence", beta=0.5, reference="self")
    terms = [
        Term("a", "s", None, bound("distil", reference="self"), references=("self",)),
        Term("b", "s", None, whole, readings=(Divergence("self", 0.5),)),
    ]

    def gradient(size):
        policy = new_policy(0)
        weights = {"a": 1.0, "b": 0.5}
        accumulated_means(policy, terms, weights, {"s": batch}, size, references=models)
        return torch.cat([weight.grad.flatten() for weight in policy.model.parameters()])

    expected = gradient(5)
    assert expected.norm() > 0
    assert (gradient(rows) - expected).norm() < 1e-4 * expected.norm()


def test_only_contexts_that_terms_read_are_made(chat, rollouts, batch):
    from uniapl_cli.sources import SourceBatch

    references = References({}, Contexts(chat, {"self": Showing("demonstration", TEXT)}))
    drawn = SourceBatch(batch, rollouts=rollouts)
    reads = Term("a", "s", None, bound("kl"), references=("self",))
    assert references.shown("s", drawn, [reads]).contexts
    assert not references.shown("s", drawn, [replace(reads, source="other")]).contexts
    assert not references.shown("s", drawn, [replace(reads, references=())]).contexts


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"path": "a", "ema": 0.5}, "path and ema"),
        ({"ema": 0.5, "of": "start"}, "'of' is an option of `context`"),
        ({"context": "right", "revision": "main"}, "'revision' is an option of `path`"),
        ({"context": "right", "text": "{prompt}"}, "{shown}"),
    ],
)
def test_a_reference_is_one_thing(options, told):
    with pytest.raises(ValueError, match=told.replace("{", r"\{")):
        ReferenceOptions.model_validate(options)
