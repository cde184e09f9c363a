// Keeps times relative and right, and shows the exact one in the viewer's own zone.
"use strict";
(() => {
  const STEPS = [[90, 1, "s"], [5400, 60, "min"], [172800, 3600, "h"], [Infinity, 86400, "d"]];
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const relative = (seconds) => {
    const [, divisor, unit] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
    const words = `${Math.round(Math.abs(seconds) / divisor)} ${unit}`;
    return seconds >= 0 ? `${words} ago` : `in ${words}`;
  };
  const refresh = () => {
    for (const element of document.querySelectorAll("time[datetime]")) {
      const at = new Date(element.dateTime);
      element.title = exact.format(at);
      element.textContent = relative((Date.now() - at.getTime()) / 1000);
    }
  };
  document.addEventListener("DOMContentLoaded", refresh);
  document.addEventListener("htmx:afterSwap", refresh);
  setInterval(refresh, 10000);
})();
