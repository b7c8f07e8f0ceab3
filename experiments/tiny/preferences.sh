#!/usr/bin/env bash
# Preferences made by the verifiers: the base's own responses, those that pass beside those that fail.
# usage: experiments/tiny/preferences.sh          (writes work/tiny/pairs.jsonl, for DPO and KTO)
# Repeat it to go on where it stopped.
set -euo pipefail
here=experiments/tiny

# The policy that is to be trained answers itself: what it never says, it cannot learn to avoid.
uniapl teacher-gen --config $here/world.yaml teacher.path=tiny:base \
    teach.samples=4 teach.sampling.temperature=1 teach.out=work/tiny/base.jsonl
uniapl filter-gt --config $here/world.yaml filter.responses=work/tiny/base.jsonl \
    filter.out=work/tiny/base_kept.jsonl filter.rejected=null filter.pairs=work/tiny/pairs.jsonl
