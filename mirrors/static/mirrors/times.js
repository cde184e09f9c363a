// Keeps relative times up to date, and shows exact times in the viewer's time zone. Hours are shown as ranges in that zone.
"use strict";
(() => {
  const STEPS = [[90, 1, "s"], [5400, 60, "min"], [172800, 3600, "h"], [Infinity, 86400, "d"]];
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const relative = (seconds) => {
    const [, divisor, unit] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
    const words = `${Math.round(Math.abs(seconds) / divisor)} ${unit}`;
    return seconds >= 0 ? `${words} ago` : `in ${words}`;
  };
  const HOUR = 3600000;
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const range = (at) => {
    const end = clock.format(new Date(at.getTime() + HOUR));
    const date = at.toDateString() === new Date().toDateString() ? "" : `${day.format(at)}, `;
    return `${date}${clock.format(at)}–${end === "00:00" ? "24:00" : end}`;
  };
  const refresh = () => {
    for (const element of document.querySelectorAll("time[datetime]")) {
      const at = new Date(element.dateTime);
      if ("hour" in element.dataset) {
        element.title = `${exact.format(at)} – ${exact.format(new Date(at.getTime() + HOUR))}`;
        element.textContent = range(at);
        continue;
      }
      element.title = exact.format(at);
      element.textContent = relative((Date.now() - at.getTime()) / 1000);
    }
  };
  document.addEventListener("DOMContentLoaded", refresh);
  document.addEventListener("htmx:afterSwap", refresh);
  setInterval(refresh, 10000);
})();
