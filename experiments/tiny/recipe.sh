#!/usr/bin/env bash
# Make the embedded world anew: prompts, tokenizer, teacher, base, discriminator, model card.
# usage: experiments/tiny/recipe.sh [ASSETS_FOLDER [OVERRIDE...]]     (several minutes on two cores)
# The overrides go to the trainings; WORLD="--train 24 --heldout 16" to what makes the world.
# Every step resumes, so a broken run goes on where it was. A whole new run: rm -r work/recipe
set -euo pipefail
assets=${1:-uniapl_cli/tiny/assets}
recipe=experiments/tiny/recipe
work=work/recipe

# shellcheck disable=SC2086  # WORLD holds several words
[ -d $work/world ] || uniapl tiny world $work/world ${WORLD:-}

# The base and the teacher do not need each other: one core each.
uniapl train sft --config $recipe/teacher.yaml "${@:2}" &
teacher=$!
uniapl train sft --config $recipe/base.yaml "${@:2}"
uniapl train sft --config $recipe/early.yaml "${@:2}"
wait $teacher

# What ships is in half precision, so everything from here on is measured on that.
for model in teacher base early; do
    uniapl tiny halve $work/$model/final $work/packed/$model
done

for split in train heldout; do
    for policy in teacher base early; do
        uniapl teacher-gen --config $recipe/common.yaml teacher.path=$work/packed/$policy \
            teach.prompts=$work/world/$split.jsonl teach.samples=3 \
            teach.out=$work/trajectories/$split/$policy.jsonl
    done
done
uniapl pretrain-polar --config $recipe/polar.yaml "${@:2}"
uniapl tiny halve $work/polar/final $work/packed/polar

# The held-out prompts ship with a response of the teacher, which lengths and scores refer to.
uniapl teacher-gen --config $recipe/common.yaml teacher.path=$work/packed/teacher seed=1 \
    teach.prompts=$work/world/heldout.jsonl teach.sampling.temperature=0.7 \
    teach.out=$work/trajectories/shipped.jsonl
for model in base teacher; do
    uniapl eval --config $recipe/eval.yaml eval.name=$model eval.model=$work/packed/$model \
        eval.out=$work/eval/$model
done
uniapl tiny pack $work "$assets"
