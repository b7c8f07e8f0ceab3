"use strict";
// Light or dark: the system's choice unless the reader has made one. Runs before anything is drawn.

const THEMES = ["auto", "light", "dark"];
const THEME_KEY = "uniapl-theme";

/** Return the reader's choice; a browser may refuse to keep one for a file. */
function keptTheme() {
  try {
    const theme = localStorage.getItem(THEME_KEY);
    return THEMES.includes(theme) ? theme : "auto";
  } catch {
    return "auto";
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // It holds until the page is closed.
  }
}

document.documentElement.dataset.theme = keptTheme();

document.addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  const show = () => {
    button.textContent = `Theme: ${document.documentElement.dataset.theme}`;
  };
  button.addEventListener("click", () => {
    const now = THEMES.indexOf(document.documentElement.dataset.theme);
    setTheme(THEMES[(now + 1) % THEMES.length]);
    show();
  });
  show();
});
