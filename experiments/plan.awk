# The plan of a table or figure, for rows.sh. Lines: DONE(0|1) SEED NAME METHOD FILE FORMER ...;
# -v scale=paper, tiny or laptop, analysis=lengths or logprobs of so many models, or none, where=OUT.
# Hours are of one device and rough: tokens/s below are assumed of an H100, none is measured; those
# of a laptop are measured (docs/laptop.md). Steps, rows and rollouts a step are those of
# experiments/base/qwen3-0.6b.yaml and experiments/laptop/smollm2.yaml.
function row(name, seed, stage, former, steps, hours, gigabytes) {
    printf "| %-26s | %4s | %-15s | %-21s | %5s | %6s | %6s |\n", name, seed, stage, former, steps, hours, gigabytes
}
function short(number) { return sprintf("%.3g", number) }
function model(name) {
    if (scale == "tiny") return name == "teacher" ? "tiny:teacher" : "tiny:base"
    if (laptop) return "SmolLM2-135M"
    if (name in larger) return larger[name]
    return name ~ /^base/ ? "Qwen3-0.6B-Base" : name ~ /^4b/ ? "Qwen3-4B" : "Qwen3-0.6B"
}
BEGIN {
    paper = scale == "paper"; laptop = scale == "laptop"; steps = paper ? 500 : laptop ? 30 : 100
    rows = 64; rollouts = 32 * 8; demonstration_rollouts = 64 * 2; tokens = 600
    sampled["0.6b"] = 8000; learnt["0.6b"] = 30000; parameters["0.6b"] = 0.6
    sampled["4b"] = 3000; learnt["4b"] = 6000; parameters["4b"] = 4.0
    larger["32b"] = "Qwen3-32B"; larger["235b"] = "a server"; sampled["32b"] = sampled["235b"] = 500; ifeval = 541
    scored = 30000; graded = 61000; held = 28; minute = 0.7; asked = 38000; looked_at = 500
    sampled["135m"] = 250; learnt["135m"] = 130; parameters["135m"] = 0.135
    if (laptop) {
        rows = 16; rollouts = 8 * 8; demonstration_rollouts = 16 * 2; tokens = 110; scored = 400
        graded = 541 * 380 / tokens
    }
    row("row", "seed", "stage", "starts from", "steps", "hours", "GB")
    print "|---|---|---|---|---|---|---|"
}
{
    size = laptop ? "135m" : $3 in larger ? $3 : $3 ~ /^4b/ ? "4b" : "0.6b"
    method = $4; drawn = 0; seconds = 0; trains = method != "-"
    imitates = method ~ /sft|chord|unified/
    drawn += method ~ /grpo|chord|unified/ ? rollouts : 0
    drawn += method ~ /asft|unified/ ? demonstration_rollouts : 0
    anchored = method ~ /^a|unified/ || $3 ~ /rlvr-/
    seconds += imitates ? rows * tokens / learnt[size] : 0
    seconds += drawn ? drawn * tokens * (1 / sampled[size] + 1 / learnt[size] + anchored / scored) : 0
    answers = $3 in larger ? ifeval : graded
    hours = scale != "tiny" ? (trains * steps * seconds + answers * tokens / sampled[size]) / 3600 : minute / 60
    # Two checkpoints (float32 weights, AdamW's two moments) and the final weights: 28 bytes each.
    gigabytes = scale != "tiny" ? trains * held * parameters[size] : 0.01
    if ($1) { hours = 0; done++ }
    all += hours; disk += gigabytes; large += size == "4b" && trains && !$1; seeded[$2]
    row($3, $2, trains ? method : "evaluation only", $6 == "-" ? model($3) : $6 "-" $2, trains ? steps : 0,
        $1 ? "done" : short(hours), short(gigabytes))
}
END {
    if (analysis) {
        answers = analysis == "lengths" ? asked : looked_at
        hours = paper ? models * answers * tokens / sampled["0.6b"] / 3600 : models * minute / 60
        gigabytes = paper && analysis == "lengths" ? models * answers * tokens * 5 / 1e9 : 0.01
        for (seed in seeded) {
            row(analysis, seed, "analysis", "the rows above", 0, short(hours), short(gigabytes))
            all += hours; disk += gigabytes
        }
    }
    row("all", "", NR " runs, " done + 0 " done", "", "", short(all), short(disk))
    if (laptop) {
        printf "Each row is trained and then measured on IFEval; both are in its hours, at %d tokens/s sampled and\n", sampled["135m"]
        printf "%d learnt, as measured on one core of a server. The data take half an hour more. Of a row, with its\n", learnt["135m"]
        print "memory, on another machine: uniapl plan STAGE --config experiments/laptop/ROW.yaml --gpu h100"
        exit
    }
    if (!paper) {
        print "Each row is trained and then measured; hours are guesses for one core. All of it stays in " where "."
        exit
    }
    print "Each row is trained and then measured on the twelve benchmarks; both are in its hours, which are"
    printf "guesses for one H100: none was measured. Assumed are %d and %d tokens/s sampled, %d and %d\n", sampled["0.6b"], sampled["4b"], learnt["0.6b"], learnt["4b"]
    printf "learnt (0.6B, 4B), %d scored by POLAR, %d tokens a response. GB are those that stay in %s:\n", scored, tokens, where
    print "two checkpoints and the final weights of each run."
    print "Of one row, with its memory: uniapl plan STAGE --config experiments/paper/ROW.yaml --gpu h100"
    if (large) print "4B takes 64 GB for weights, gradients and AdamW alone: a card of more than 80 GB, one process."
    if (analysis == "logprobs") print "The teacher is loaded too, the paper's in 470 GB of bfloat16: no one card holds it (teacher.path=...)."
}
