// Keeps open what was opened, and where it was read, when a part of the page is replaced by a newer one.
"use strict";
let seen = new Map();
document.addEventListener("htmx:beforeSwap", () => {
  seen = new Map([...document.querySelectorAll("details[id]")].map((details) => [
    details.id, { open: details.open, top: details.querySelector("pre")?.scrollTop ?? 0 },
  ]));
});
document.addEventListener("htmx:afterSwap", () => {
  for (const [id, was] of seen) {
    const details = document.getElementById(id);
    if (!details) continue;
    details.open = was.open;
    const log = details.querySelector("pre");
    if (log) log.scrollTop = was.top;
  }
});
