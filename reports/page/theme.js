"use strict";
/* Before anything is painted: the reader's choice of light or dark, else the system's. */
(function () {
  let chosen = null;
  try { chosen = localStorage.getItem("hvb-theme"); } catch { chosen = null; /* a browser may forbid storage on file: pages */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  addEventListener("DOMContentLoaded", function () {
    const button = document.getElementById("theme");
    if (!button) return;
    button.addEventListener("click", function () {
      const root = document.documentElement;
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem("hvb-theme", root.dataset.theme); } catch { /* the choice then lasts as long as the page */ }
      dispatchEvent(new Event("hvb-theme"));
    });
  });
})();
