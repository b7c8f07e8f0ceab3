"""Rollouts and fakes of what makes and judges them."""

from uniapl_cli.types import Completion, Constraint, Example, Message, Rollout

NO_COMMA = Constraint("punctuation:no_comma")
LOWER = Constraint("change_case:english_lowercase")


def example(id="a", teacher="the teacher says so.", constraints=(NO_COMMA, LOWER)):
    prompt = (Message("user", f"Say {id}."),)
    return Example(id, prompt, constraints, response=teacher, origin=f"rows.jsonl:{id}")


def completion(text="no comma here.", tokens=(5, 6, 7), finish="stop"):
    return Completion(text, tuple(tokens), tuple(-0.1 * t for t in tokens), finish)


def rollout(text="no comma here.", group=0, finish="stop", of=None):
    return Rollout(of or example(), (1, 2), completion(text, finish=finish), group)


class Lengths:
    """A discriminator: minus how much longer or shorter the candidate is; it keeps what it saw."""

    def __init__(self):
        self.seen = []

    def score(self, comparisons, *, batch_invariant=False):
        self.seen += comparisons
        return [-abs(len(c.candidate) - len(c.reference)) / 4 for c in comparisons]


class Echo:
    """A generator: the seeds name the tokens; it answers the last request first."""

    def __init__(self, tokens=lambda seed: 1 + seed % 3):
        self.tokens, self.requests, self.followed = tokens, [], []
        self.metrics = {}

    def follow(self, policy):
        self.followed.append(policy)

    def generate(self, requests, sampling, progress=None):
        self.requests = list(requests)
        for index, request in reversed(list(enumerate(requests))):
            yield (
                index,
                [
                    completion(f"text {seed}", [seed % 900] * self.tokens(seed), "stop")
                    for seed in request.seeds
                ],
            )
