// The try-it page: a pod that is typed takes the place of the chosen admission; says when the server does not answer.
"use strict";
const pod = document.getElementById("id_pod");
const admission = document.getElementById("id_admission");
if (pod && admission) {
  pod.addEventListener("input", () => { admission.value = ""; });
}
const offline = () => document.getElementById("swapper-offline");
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, () => { if (offline()) { offline().hidden = false; } });
}
document.addEventListener("htmx:afterSwap", () => { if (offline()) { offline().hidden = true; } });
