# The plan of a table, for rows.sh. Lines: DONE(0|1) SEED NAME METHOD FILE FORMER ...; -v scale=paper or tiny.
# Hours are of one device and rough: tokens/s below are assumed of an H100, none is measured.
# Steps, rows and rollouts a step are those of experiments/base/qwen3-0.6b.yaml.
BEGIN {
    steps = scale == "paper" ? 500 : 100
    rows = 64; rollouts = 32 * 8; demonstration_rollouts = 64 * 2; tokens = 600
    sampled["0.6b"] = 8000; learnt["0.6b"] = 30000; parameters["0.6b"] = 0.6
    sampled["4b"] = 3000; learnt["4b"] = 6000; parameters["4b"] = 4.0
    scored = 30000; graded = 61000; held = 28; minute = 0.7
    print "| row | seed | stage | starts from | steps | hours | GB |\n|---|---|---|---|---|---|---|"
}
{
    size = $3 ~ /^4b/ ? "4b" : "0.6b"
    method = $4; drawn = 0; seconds = 0; trains = method != "-"
    imitates = method ~ /sft|chord|unified/
    drawn += method ~ /grpo|chord|unified/ ? rollouts : 0
    drawn += method ~ /asft|unified/ ? demonstration_rollouts : 0
    anchored = method ~ /^a|unified/ || $3 ~ /rlvr-/
    seconds += imitates ? rows * tokens / learnt[size] : 0
    seconds += drawn * tokens * (1 / sampled[size] + 1 / learnt[size] + anchored / scored)
    hours = scale == "paper" ? (trains * steps * seconds + graded * tokens / sampled[size]) / 3600 : minute / 60
    # Two checkpoints (float32 weights, AdamW's two moments) and the final weights: 28 bytes each.
    gigabytes = scale == "paper" ? trains * held * parameters[size] : 0.01
    if ($1) { hours = 0; done++ }
    all += hours; disk += gigabytes; large += size == "4b" && trains && !$1
    printf "| %s | %s | %s | %s | %s | %s | %.3g |\n", $3, $2, trains ? method : "evaluation only",
        $6 == "-" ? "the model" : $6 "-" $2, trains ? steps : 0, $1 ? "done" : sprintf("%.3g", hours), gigabytes
}
END {
    printf "| all | | %d runs, %d done | | | %.3g | %.3g |\n", NR, done, all, disk
    if (scale == "paper") {
        printf "Hours on one GPU, evaluation on the twelve benchmarks included, at assumed rates: %d and %d\n", sampled["0.6b"], sampled["4b"]
        printf "tokens/s sampled, %d and %d learnt (0.6B, 4B), %d scored by POLAR, %d tokens a response.\n", learnt["0.6b"], learnt["4b"], scored, tokens
        print "Before that: experiments/paper/data.sh, with servers of both teachers."
        if (large) print "4B needs 64 GB for weights, gradients and AdamW alone: a card of more than 80 GB."
    }
}
