"use strict";
// Making elements, reading the page's data, copying texts.

/** Return an element. Children that are texts become text nodes: no response is ever read as HTML. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Return the JSON that an element of the page holds; null where there is no such element. */
function data(id) {
  const element = document.getElementById(id);
  return element && JSON.parse(element.textContent);
}

/** Copy a text, and say so on the button for a while. */
async function copy(text, button) {
  const before = button.dataset.label ?? button.textContent;
  button.dataset.label = before;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    done = copyBySelection(text);
  }
  button.textContent = done ? "Copied" : "Select it and press Ctrl+C";
  setTimeout(() => {
    button.textContent = before;
  }, 2000);
}

/** Copy by the older way, which needs no permission. */
function copyBySelection(text) {
  const area = make("textarea", { class: "hidden", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.copy");
  if (button) copy(button.parentElement.querySelector("pre").textContent, button);
});
