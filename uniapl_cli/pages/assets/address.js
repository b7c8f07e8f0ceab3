"use strict";
// The view as a part of the page's address, so that a link leads to it.

const PREFIX = "#samples?";
const TEXTS = ["q", "instruction", "sort"];
const MODELS = ["passes", "fails", "first", "second"];

/** Return the address of a view; what is as it is at first is left out. Models go by name. */
function addressOf(view, start, index) {
  const parts = new URLSearchParams();
  const named = (model) => index.models[model] ?? model;
  if (view.set !== start.set) parts.set("set", setName(index.sets[view.set]));
  for (const key of TEXTS) if (view[key] !== start[key]) parts.set(key, view[key]);
  for (const key of MODELS) if (view[key] !== start[key]) parts.set(key, named(view[key]));
  if (view.disagree) parts.set("disagree", "1");
  if (String(view.models) !== String(start.models)) {
    view.models.forEach((model) => parts.append("model", named(model)));
    if (!view.models.length) parts.set("model", "");
  }
  for (const key of ["size", "page"]) if (view[key] !== start[key]) parts.set(key, view[key]);
  return PREFIX + parts;
}

/** Return the view that an address leads to; null for an address of something else. */
function viewAt(hash, start, index) {
  if (!hash.startsWith(PREFIX)) return null;
  const parts = new URLSearchParams(hash.slice(PREFIX.length));
  const view = { ...start };
  const numbered = (name) => (name === EVERY ? EVERY : index.models.indexOf(name));
  const set = index.sets.findIndex((one) => setName(one) === parts.get("set"));
  if (set >= 0) view.set = set;
  for (const key of TEXTS) view[key] = parts.get(key) ?? start[key];
  for (const key of MODELS) {
    const model = parts.has(key) ? numbered(parts.get(key)) : -1;
    if (model !== -1) view[key] = String(model);
  }
  view.disagree = parts.get("disagree") === "1";
  if (parts.has("model")) {
    view.models = parts.getAll("model").map(numbered).filter((model) => model >= 0);
  }
  for (const key of ["size", "page"]) view[key] = Math.max(1, Number(parts.get(key)) || start[key]);
  return view;
}

function setName(set) {
  return `${set.title}, ${set.draw}`;
}
