// Keeps open what was opened, where it was read, and the focus, when a part of the page is replaced by a newer one.
"use strict";
(() => {
  const CONTROLS = "a[href], button, summary, input, select, textarea, [tabindex]";
  const signs = [
    (control) => {
      const id = control.id || control.closest("details[id]")?.id;
      return id ? `${control.tagName} ${id}` : null;
    },
    // The time that a list begins at moves on with each minute.
    (control) => control.getAttribute("href")?.replace(/_from_1=[^&]*/, "") ?? null,
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
    // The same by its id, else by where it leads, else by its words, the nearest of several; else what stands there.
    const controls = [...event.target.querySelectorAll(CONTROLS)];
    const nearest = controls.map((control, at) => ({ control, far: Math.abs(at - focused.at) }))
      .sort((one, other) => one.far - other.far).map(({ control }) => control);
    const same = signs.map((sign, which) => {
      const told = focused.signs[which];
      return told && nearest.find((control) => sign(control) === told);
    }).find(Boolean);
    (same ?? nearest[0])?.focus({ preventScroll: true });
    focused = null;
  });
})();
