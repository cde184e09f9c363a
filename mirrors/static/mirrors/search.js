// The search in the menu: "t" focuses it, arrow keys move through the results, Escape closes them.
"use strict";
(() => {
  const input = () => document.getElementById("nav-filter");
  const panel = () => document.getElementById("search-results");
  const close = () => { panel()?.replaceChildren(); };
  document.addEventListener("keydown", (event) => {
    const search = document.activeElement?.closest(".swapper-search");
    if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey
        && !document.activeElement?.closest("input, textarea, select, [contenteditable]")) {
      event.preventDefault();
      input()?.focus();
    } else if (search && event.key === "Escape") {
      event.preventDefault();
      close();
      input().focus();
    } else if (search && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const stops = [input(), ...panel().querySelectorAll("a")];
      const at = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      stops[Math.min(Math.max(at, 0), stops.length - 1)].focus();
    }
  });
  document.addEventListener("focusin", (event) => {
    if (!event.target.closest(".swapper-search")) { close(); }
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".swapper-search")) { close(); }
  });
})();
