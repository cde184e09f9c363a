// Adds a button that copies the text of elements with data-copy; browsers allow this over HTTPS and on localhost only.
"use strict";
(() => {
  const addButtons = (root) => {
    for (const code of root.querySelectorAll("code[data-copy]:not([data-copy=ready])")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "swapper-copy";
      button.textContent = "Copy";
      button.ariaLabel = `Copy ${code.textContent}`;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
      code.dataset.copy = "ready";
      code.after(" ", button);
    }
  };
  if (!navigator.clipboard) { return; }
  document.addEventListener("DOMContentLoaded", () => addButtons(document));
  document.addEventListener("htmx:load", (event) => addButtons(event.detail.elt));
})();
