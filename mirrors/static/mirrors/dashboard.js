// Says when the numbers are old: the server has not answered the last time that it was asked.
"use strict";
const stale = () => document.getElementById("swapper-stale");
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, () => { stale().hidden = false; });
}
document.addEventListener("htmx:afterSwap", () => { stale().hidden = true; });
