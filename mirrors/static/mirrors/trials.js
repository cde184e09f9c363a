// The page that tries filters: typing a pod clears the chosen admission.
"use strict";
const pod = document.getElementById("id_pod");
const admission = document.getElementById("id_admission");
if (pod && admission) {
  pod.addEventListener("input", () => { admission.value = ""; });
}
// Open details stay open while the user types.
let unfolded = false;
const answers = (event) => (event.target.id === "swapper-answers" ? event.target : null);
document.addEventListener("htmx:beforeSwap", (event) => {
  if (answers(event)) { unfolded = event.target.querySelector("details[open]") !== null; }
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (!answers(event) || !unfolded) { return; }
  for (const details of event.target.querySelectorAll("details")) { details.open = true; }
});
