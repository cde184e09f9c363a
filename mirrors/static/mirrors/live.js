// Keeps open details, scroll positions and the focus when a part of the page is refreshed, and shows a message if the part
// is stale because the server did not respond.
"use strict";
(() => {
  const CONTROLS = "a[href], button, summary, input, select, textarea, [tabindex]";
  const signs = [
    (control) => {
      const id = control.id || control.closest("details[id]")?.id;
      return id ? `${control.tagName} ${id}` : null;
    },
    // The start time in links to lists changes every minute.
    (control) => control.getAttribute("href")?.replace(/_from_[01]=[^&]*/g, "") ?? null,
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
    // Find the same control by its ID, else by its link, else by its text; of several, take the nearest one.
    const controls = [...event.target.querySelectorAll(CONTROLS)];
    const nearest = controls.map((control, at) => ({ control, far: Math.abs(at - focused.at) }))
      .sort((one, other) => one.far - other.far).map(({ control }) => control);
    const which = focused.signs.findIndex(Boolean);
    const same = nearest.find((control) => signs[which]?.(control) === focused.signs[which]);
    if (!same) { event.target.tabIndex = -1; }
    (same ?? event.target).focus({ preventScroll: true });
    focused = null;
  });
  const stale = (isOld) => {
    const note = document.getElementById("swapper-stale");
    if (note) { note.hidden = !isOld; }
  };
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(name, () => stale(true));
  }
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful || event.detail.xhr.status === 304) { stale(false); }
  });
})();
