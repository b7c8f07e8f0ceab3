"""Tables of analyses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A larger share of responses that are cut off is pointed out.
MANY = 0.05

Table = tuple[list[str], list[list[str]]]


def title(result: Mapping[str, Any]) -> str:
    """Return what an analysis is of, in one line."""
    prompts = result["prompts"]
    if result["kind"] == "lengths":
        return f"Lengths in tokens, on {prompts} prompts"
    if result["kind"] == "agreement":
        return f"Does r, the discriminator's score, know what passes? On {prompts} prompts"
    own = result["responses"] == "models"
    whose = f"the models' own, to {prompts} prompts" if own else f"those of {prompts} rows"
    return f"Log-probabilities of responses, {whose}, in nats"


def grid(result: Mapping[str, Any]) -> Table:
    """Return an analysis as a table."""
    return {"lengths": lengths, "logprobs": logprobs, "agreement": agreement}[result["kind"]](
        result
    )


def lengths(result: Mapping[str, Any]) -> Table:
    """Return a row a model, with its distances to the teacher's lengths; the teacher last."""
    rows = [
        [
            name,
            f"{one['mean']:.1f}",
            share(one["cut"]),
            figure(one["wasserstein"], 2),
            figure(one["ks"], 3),
        ]
        for name, one in result["models"].items()
    ]
    teacher = result["teacher"]
    rows.append(["(the teacher's)", f"{teacher['mean']:.1f}", share(teacher["cut"]), "", ""])
    return ["model", "mean", "cut off", "Wasserstein-1", "Kolmogorov-Smirnov"], rows


def logprobs(result: Mapping[str, Any]) -> Table:
    """Return a row a model: student less teacher, a response and a token, in nats."""
    rows = [
        [
            name,
            signed(one["difference"], 2),
            number(one["difference"]["sd"], 2),
            signed(one["per_token"], 4),
            number(one["per_token"]["sd"], 4),
        ]
        for name, one in result["models"].items()
    ]
    return ["model", "student - teacher", "sd", "a token", "sd a token"], rows


def agreement(result: Mapping[str, Any]) -> Table:
    """Return two rows a model, of r and of the anchor's coefficient; then all responses'."""
    rows = []
    for name, one in {**result["models"], "(all)": result["all"]}.items():
        means = [number(one[f"{kind}_mean"], 2) for kind in ("passed", "failed")]
        shares = [share(one["passing"]), *means]
        rows.append([name, "r", *shares, *(figure(one[of], 2) for of in ("auc", "within"))])
        of_coef = (figure(one[of], 2) for of in ("coef_auc", "coef_within"))
        rows.append(["", "coef", "", "", "", *of_coef])
    return ["model", "", "pass", "mean if so", "if not", "AUC", "within prompts"], rows


def words(result: Mapping[str, Any]) -> list[str]:
    """Return what a table's figures do not say of themselves, a line each."""
    if result["kind"] == "lengths":
        return [
            f"{name}: {share(one['cut'])} are cut off, which its distances show; for longer ones "
            "raise analyse.sampling.max_new_tokens"
            for name, one in result["models"].items()
            if one["cut"] > MANY
        ]
    if result["kind"] == "agreement":
        found = {name: _missing(one, result["samples"]) for name, one in result["models"].items()}
        return [f"{name}: {why}" for name, why in found.items() if why]
    return []


def _missing(one: Mapping[str, Any], samples: int) -> str:
    """Return why figures of a model's agreement are missing; empty where none is."""
    if one["passing"] is None:
        return "no response could be judged"
    if not one["auc"]["n"]:
        kind = "pass" if one["passing"] else "fail"
        return f"all responses {kind}, so there are no pairs to order"
    if not one["within"]["n"]:
        advice = "set analyse.samples=4" if samples == 1 else "more samples may have one"
        return f"no prompt has a response that passes and one that fails: {advice}"
    return ""


def figure(one: Mapping[str, Any], digits: int) -> str:
    """Return a value with its interval."""
    if one["value"] is None:
        return "-"
    low, high = (f"{one[end]:.{digits}f}" for end in ("low", "high"))
    return f"{one['value']:.{digits}f} ({low} to {high})"


def signed(one: Mapping[str, Any], digits: int) -> str:
    """Return a mean with its sign and its interval."""
    if one["low"] is None:
        return f"{one['mean']:+.{digits}f}"
    return f"{one['mean']:+.{digits}f} ({one['low']:+.{digits}f} to {one['high']:+.{digits}f})"


def number(value: float | None, digits: int) -> str:
    """Return a number, or that there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def share(value: float | None) -> str:
    """Return a share in percent."""
    return "-" if value is None else f"{value * 100:.1f}%"
