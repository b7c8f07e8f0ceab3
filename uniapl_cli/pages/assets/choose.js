"use strict";
// Which samples are shown, and in what order. Nothing here touches the page.
//
// A row: {id, turn, sample, subset, prompt, instructions: [[id, kwargs], ...], answers: {model: answer}}.
// An answer: {text, passed, strict, loose, errors, metrics, tokens, cut, read, reason, left_out}.
// A view: {q, passes, fails, instruction, disagree, sort, first, second, models: [number, ...]}.

// Of all models that are shown.
const EVERY = "every";

/** Whether a model passes, of one instruction if one is named; null where it was not judged. */
function verdict(row, model, instruction) {
  const answer = row.answers[model];
  if (!answer) return null;
  if (!instruction) return answer.passed ?? null;
  const mine = (answer.strict ?? []).filter((_, n) => row.instructions[n]?.[0] === instruction);
  return mine.length ? mine.every(Boolean) : null;
}

/** Return a figure of a model's answer, its tokens too; null where there is none. */
function figure(row, model, name) {
  const answer = row.answers[model];
  return (name === "tokens" ? answer?.tokens : answer?.metrics?.[name]) ?? null;
}

/** Return the names of all figures that answers have. */
function figures(rows) {
  const names = new Set();
  for (const row of rows) {
    for (const answer of Object.values(row.answers)) {
      Object.keys(answer.metrics ?? {}).forEach((name) => names.add(name));
      if (answer.tokens !== undefined) names.add("tokens");
    }
  }
  return [...names];
}

/** Return how many prompts have each instruction, the most frequent first. */
function instructionCounts(rows) {
  const counts = new Map();
  for (const row of rows) {
    for (const id of new Set(row.instructions.map(([id]) => id))) {
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

function hasText(row, text, models) {
  const said = models.map((model) => row.answers[model]?.text ?? "");
  const asked = [row.id, row.subset ?? "", row.prompt, ...row.instructions.flat()];
  return [...asked, ...said].some((one) => one.toLowerCase().includes(text));
}

function meets(row, who, wanted, view) {
  if (who === "") return true;
  const models = who === EVERY ? view.models : [Number(who)];
  return models.length > 0 && models.every((m) => verdict(row, m, view.instruction) === wanted);
}

/** Whether two of the models that are shown have different verdicts. */
function disagree(row, view) {
  const verdicts = view.models.map((model) => verdict(row, model, view.instruction));
  return verdicts.includes(true) && verdicts.includes(false);
}

function difference(row, view) {
  const first = figure(row, view.first, view.sort);
  const second = figure(row, view.second, view.sort);
  return first === null || second === null ? null : first - second;
}

/** Return the rows that a view shows: in the data's order, or by a difference, largest first. */
function chosen(rows, view) {
  const text = view.q.toLowerCase();
  const found = rows.filter(
    (row) =>
      (!view.instruction || row.instructions.some(([id]) => id === view.instruction)) &&
      (!view.disagree || disagree(row, view)) &&
      meets(row, view.passes, true, view) &&
      meets(row, view.fails, false, view) &&
      (!text || hasText(row, text, view.models)),
  );
  if (!view.sort) return found;
  const keyed = found.map((row) => [difference(row, view), row]);
  const order = ([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : b - a);
  return keyed.sort(order).map(([, row]) => row);
}
