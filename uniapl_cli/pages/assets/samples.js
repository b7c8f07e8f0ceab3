"use strict";
// The browser of samples: the filters, the pages, the keys, and the address that remembers them.

/** Return the view before anything is chosen. */
function firstView(index) {
  const models = index.shown.map((name) => index.models.indexOf(name));
  const [first, second] = [models[0], models[1] ?? models[0]].map(String);
  const all = { set: 0, q: "", passes: "", fails: "", instruction: "", disagree: false, sort: "" };
  return { ...all, first, second, models, size: 10, page: 1 };
}

class Browser {
  constructor(index) {
    this.index = index;
    this.start = firstView(index);
    this.rows = new Map();
    this.form = document.getElementById("filters");
    this.cards = document.getElementById("cards");
    this.fillOnce();
    this.listen();
    this.go(viewAt(location.hash, this.start, index) ?? this.start);
    if (location.hash.startsWith(PREFIX)) document.getElementById("samples").scrollIntoView();
  }

  /** Return the rows of the set that is chosen; they are read when they are first needed. */
  get all() {
    if (!this.rows.has(this.view.set)) {
      this.rows.set(this.view.set, data(`samples-${this.view.set}`));
    }
    return this.rows.get(this.view.set);
  }

  get pages() {
    return Math.max(1, Math.ceil(this.found.length / this.view.size));
  }

  /** Show a view. */
  go(view) {
    const anew = this.view?.set !== view.set;
    this.view = view;
    if (anew) this.fillForSet();
    this.models = view.models.filter((model) => this.present.has(model));
    this.found = chosen(this.all, { ...view, models: this.models });
    this.view.page = Math.min(view.page, this.pages);
    this.write();
    this.draw();
  }

  /** Show the view with some changes, from its first page on, and remember it in the address. */
  change(changes) {
    const set = "set" in changes ? { instruction: "", sort: "" } : {};
    this.go({ ...this.view, page: 1, ...set, ...changes });
    this.remember();
  }

  remember() {
    try {
      history.replaceState(null, "", addressOf(this.view, this.start, this.index));
    } catch {
      // A browser may refuse for a file; then a link leads to the first view.
    }
  }

  /** Show another page, and bring its first sample, or its last, into sight. */
  turn(by, sample = 0) {
    const page = this.view.page + by;
    if (page < 1 || page > this.pages) return;
    this.change({ page });
    this.focus(sample);
  }

  /** Put the focus on a sample of the page; -1 is the last. */
  focus(number) {
    const card = [...this.cards.children].at(number);
    card?.focus({ preventScroll: true });
    card?.scrollIntoView({ block: "start" });
  }

  /** Go to the next sample, or with -1 to the one before; beyond the page's end, to another page. */
  step(by) {
    const cards = [...this.cards.children];
    const now = cards.findIndex((card) => card.contains(document.activeElement));
    const next = now < 0 ? (by > 0 ? 0 : cards.length - 1) : now + by;
    if (next < 0) this.turn(-1, -1);
    else if (next >= cards.length) this.turn(1);
    else this.focus(next);
  }

  draw() {
    const { page, size } = this.view;
    const from = (page - 1) * size;
    const shown = this.found.slice(from, from + size);
    const view = { ...this.view, models: this.models };
    const place = (n) => `${from + n + 1} of ${this.found.length}`;
    this.cards.replaceChildren(
      ...shown.map((row, n) => card(row, place(n), view, this.index.models)),
    );
    const of = this.found.length === this.all.length ? "" : ` of ${this.all.length}`;
    const noun = this.all.length === 1 ? "sample" : "samples";
    document.getElementById("count").textContent =
      this.found.length === 0
        ? `No sample of ${this.all.length} is like that.`
        : `${this.found.length}${of} ${noun}, page ${page} of ${this.pages}`;
    for (const pager of document.querySelectorAll(".pager")) {
      pager.querySelector(".previous").disabled = page <= 1;
      pager.querySelector(".next").disabled = page >= this.pages;
      pager.querySelector(".place").textContent = `${page} / ${this.pages}`;
      pager.hidden = this.pages === 1;
    }
  }

  fillOnce() {
    const { models, sets } = this.index;
    const { form } = this;
    options(form.elements.set, sets.map((set, n) => [String(n), setName(set)]));
    const each = models.map((name, n) => [String(n), name]);
    const some = [["", "any"], [EVERY, "every model shown"], ...each];
    for (const key of ["passes", "fails"]) options(form.elements[key], some);
    for (const key of ["first", "second"]) options(form.elements[key], each);
    const boxes = models.map((name, n) => {
      const box = make("input", { type: "checkbox", name: "models", value: n, id: `model-${n}` });
      return make("span", { class: "check" }, box, make("label", { for: `model-${n}` }, name));
    });
    document.getElementById("models").append(...boxes);
  }

  /** Fill the choices that depend on the set. */
  fillForSet() {
    this.present = new Set(this.all.flatMap((row) => Object.keys(row.answers).map(Number)));
    for (const box of this.form.querySelectorAll("#models input")) {
      box.parentElement.hidden = !this.present.has(Number(box.value));
    }
    const counts = instructionCounts(this.all);
    const named = counts.map(([id, count]) => [id, `${id} (${count})`]);
    options(this.form.elements.instruction, [["", "any"], ...named]);
    this.form.elements.instruction.closest(".field").hidden = counts.length === 0;
    const sorts = this.index.models.length > 1 ? figures(this.all) : [];
    const by = sorts.map((name) => [name, `difference in ${name.replaceAll("_", " ")}`]);
    options(this.form.elements.sort, [["", "as in the data"], ...by]);
  }

  /** Have the filters show the view. */
  write() {
    const { elements } = this.form;
    for (const key of ["set", "q", "passes", "fails", "instruction", "sort", "first", "second", "size"]) {
      elements[key].value = this.view[key];
    }
    elements.disagree.checked = this.view.disagree;
    for (const box of this.form.querySelectorAll("#models input")) {
      box.checked = this.view.models.includes(Number(box.value));
    }
    for (const field of this.form.querySelectorAll(".difference")) field.hidden = !this.view.sort;
  }

  listen() {
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", (event) => this.change(changed(event.target, this.form)));
    document.getElementById("reset").addEventListener("click", () => {
      this.go({ ...this.start });
      this.remember();
    });
    document.getElementById("link").addEventListener("click", (event) => {
      this.remember();
      copy(location.href, event.target);
    });
    for (const [name, by] of [["previous", -1], ["next", 1]]) {
      for (const button of document.querySelectorAll(`.pager .${name}`)) {
        button.addEventListener("click", () => this.turn(by));
      }
    }
    addEventListener("hashchange", () => {
      const view = viewAt(location.hash, this.start, this.index);
      if (view) this.go(view);
    });
    listenToKeys(this);
  }
}

/** Give a select its choices, pairs of value and label. */
function options(select, pairs) {
  select.replaceChildren(...pairs.map(([value, label]) => make("option", { value }, label)));
}

/** Return what a filter that was touched changes of the view. */
function changed(control, form) {
  if (control.name === "models") {
    const boxes = [...form.querySelectorAll("#models input")];
    return { models: boxes.filter((box) => box.checked).map((box) => Number(box.value)) };
  }
  if (control.type === "checkbox") return { [control.name]: control.checked };
  const number = control.name === "set" || control.name === "size";
  return { [control.name]: number ? Number(control.value) : control.value };
}

function listenToKeys(browser) {
  const search = document.getElementById("q");
  const help = document.getElementById("help");
  const keys = {
    "/": () => search.focus(),
    j: () => browser.step(1),
    k: () => browser.step(-1),
    n: () => browser.turn(1),
    p: () => browser.turn(-1),
    r: () => document.getElementById("reset").click(),
    "?": () => help.showModal(),
  };
  document.getElementById("keys").addEventListener("click", () => help.showModal());
  document.getElementById("close").addEventListener("click", () => help.close());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const typing = event.target.matches("input[type=search], select, textarea");
    if (event.key === "Escape" && typing) event.target.blur();
    if (typing || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
}

const samplesIndex = data("samples-index");
if (samplesIndex) new Browser(samplesIndex);
