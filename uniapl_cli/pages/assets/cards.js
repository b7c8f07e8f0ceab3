"use strict";
// A sample as elements: what was asked, and what each model answered.

const MARKS = { true: "✓", false: "✗" };
const WORDS = { true: "pass", false: "fail", null: "not judged" };

function card(row, place, view, names) {
  const about = [
    row.turn && `turn ${row.turn}`,
    row.sample && `sample ${row.sample}`,
    row.subset,
    view.sort && differenceText(row, view, names),
  ];
  return make(
    "li",
    { class: "card", tabindex: "-1" },
    make(
      "div",
      { class: "head" },
      make("h3", {}, row.id),
      ...about.filter(Boolean).map((text) => make("span", { class: "tag" }, text)),
      make("span", { class: "place" }, place),
    ),
    make("p", { class: "said prompt" }, row.prompt),
    row.instructions.length ? instructionList(row.instructions) : null,
    make("div", { class: "answers" }, ...view.models.map((m) => answerOf(row, m, view, names[m]))),
  );
}

function differenceText(row, view, names) {
  const value = difference(row, view);
  if (value === null) return `no difference in ${view.sort}`;
  const sign = value < 0 ? "−" : "+";
  const said = Math.abs(value).toFixed(view.sort === "tokens" ? 0 : 2);
  return `${view.sort}: ${names[view.first]} − ${names[view.second]} = ${sign}${said}`;
}

function instructionList(instructions) {
  const items = instructions.map(([id, kwargs]) =>
    make("li", {}, make("code", {}, id), kwargs ? ` ${kwargs}` : null),
  );
  return make("ol", { class: "instructions", "aria-label": "Instructions" }, ...items);
}

function answerOf(row, model, view, name) {
  const answer = row.answers[model];
  if (!answer) {
    const none = make("p", { class: "aside" }, "no answer to this prompt");
    return make("article", { class: "answer" }, make("h4", {}, name), none);
  }
  const passed = verdict(row, model, view.instruction);
  return make(
    "article",
    { class: `answer ${WORDS[passed].replace(" ", "-")}` },
    make("h4", {}, name, badge(passed)),
    make("div", {}, ...said(answer, name)),
    make("div", {}, answer.strict ? verdictList(row, answer) : null),
    factsOf(answer),
  );
}

function said(answer, name) {
  const region = { tabindex: "0", role: "region", "aria-label": `${name}'s response` };
  const left = `${answer.left_out} more characters are left out`;
  return [
    answer.text
      ? make("p", { class: "said", ...region }, answer.text)
      : make("p", { class: "said empty" }, "(empty)"),
    answer.left_out ? make("p", { class: "aside" }, left) : null,
  ];
}

function badge(passed) {
  const mark = MARKS[passed] ? `${MARKS[passed]} ` : "";
  return make("span", { class: `badge ${WORDS[passed].replace(" ", "-")}` }, mark + WORDS[passed]);
}

/** Return the verdict on each instruction: strict, and loose where that differs. */
function verdictList(row, answer) {
  const items = answer.strict.map((strict, n) => {
    const id = row.instructions[n]?.[0] ?? `instruction ${n + 1}`;
    const loose = answer.loose && answer.loose[n] !== strict;
    const error = answer.errors?.[n];
    const text = make(
      "span",
      {},
      make("span", { class: "sr" }, `${WORDS[strict]}: `),
      make("code", {}, id),
      loose ? make("span", { class: "aside" }, ` loosely ${WORDS[answer.loose[n]]}`) : null,
      error ? make("span", { class: "error" }, ` not judged: ${error}`) : null,
    );
    const mark = make("span", { class: "mark", "aria-hidden": "true" }, MARKS[strict]);
    return make("li", { class: WORDS[strict] }, mark, text);
  });
  return make("ul", { class: "verdicts", "aria-label": "Verdicts" }, ...items);
}

/** Return what else is known of an answer. */
function factsOf(answer) {
  const facts = [];
  if (answer.read !== undefined) facts.push(["read", answer.read]);
  if (answer.reason) facts.push(["reason", answer.reason]);
  for (const [name, value] of Object.entries(answer.metrics ?? {})) {
    facts.push([name.replaceAll("_", " "), Number.isInteger(value) ? value : value.toFixed(2)]);
  }
  if (answer.tokens !== undefined) facts.push(["tokens", answer.tokens]);
  const shown = facts.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, String(value))),
  );
  if (answer.cut) {
    shown.push(make("div", { class: "cut" }, make("dt", {}, "end"), make("dd", {}, "cut off")));
  }
  return make("dl", { class: "facts" }, ...shown);
}
