// Keeps open what was opened, where it was read, and the focus, when a part of the page is replaced by a newer one.
"use strict";
(() => {
  const CONTROLS = "a[href], button, summary, input, select, textarea, [tabindex]";
  const signs = [
    (control) => {
      const id = control.id || control.closest("details[id]")?.id;
      return id ? `${control.tagName} ${id}` : null;
    },
    (control) => control.getAttribute("href"),
    (control) => control.textContent.trim() || null,
  ];
  let seen = new Map();
  let focused = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    seen = new Map([...document.querySelectorAll("details[id]")].map((details) => [
      details.id, { open: details.open, top: details.querySelector("pre")?.scrollTop ?? 0 },
    ]));
    const controls = [...event.target.querySelectorAll(CONTROLS)];
    const at = controls.indexOf(document.activeElement);
    focused = at < 0 ? null : { at, signs: signs.map((sign) => sign(controls[at])) };
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    for (const [id, was] of seen) {
      const details = document.getElementById(id);
      if (!details) { continue; }
      details.open = was.open;
      const log = details.querySelector("pre");
      if (log) { log.scrollTop = was.top; }
    }
    if (!focused || event.target.contains(document.activeElement)) { return; }
    // The same by its id, else by where it leads, else by its words, else by its place.
    const controls = [...event.target.querySelectorAll(CONTROLS)];
    const same = signs.map((sign, which) => {
      const told = focused.signs[which];
      return told && controls.find((control) => sign(control) === told);
    }).find(Boolean);
    (same ?? controls[focused.at])?.focus({ preventScroll: true });
    focused = null;
  });
})();
