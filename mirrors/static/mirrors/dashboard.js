// Says when the numbers are old: the server has not answered the last time that it was asked. Writes the charts' times
// in the viewer's zone before they are drawn.
"use strict";
const stale = () => document.getElementById("swapper-stale");
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, () => { stale().hidden = false; });
}
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful || event.detail.xhr.status === 304) stale().hidden = true;
});
for (const canvas of document.querySelectorAll("canvas[data-unit]")) {
  const value = JSON.parse(canvas.dataset.value);
  const words = canvas.dataset.unit === "hour"
    ? (at) => at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })
    : (at) => at.toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
  value.labels = value.labels.map((label) => words(new Date(label)));
  canvas.dataset.value = JSON.stringify(value);
}
