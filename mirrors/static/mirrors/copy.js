// Adds a button that copies the text of elements with data-copy.
"use strict";
(() => {
  // Browsers offer the clipboard only over HTTPS and on localhost. On other pages, copy the selection.
  const copy = async (code) => {
    if (navigator.clipboard) { return navigator.clipboard.writeText(code.textContent); }
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
    getSelection().removeAllRanges();
  };
  const addButtons = (root) => {
    for (const code of root.querySelectorAll("code[data-copy]:not([data-copy=ready])")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "swapper-copy";
      button.textContent = "Copy";
      button.ariaLabel = `Copy ${code.textContent}`;
      button.addEventListener("click", async () => {
        await copy(code);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
      code.dataset.copy = "ready";
      code.after(" ", button);
    }
  };
  document.addEventListener("DOMContentLoaded", () => addButtons(document));
  document.addEventListener("htmx:load", (event) => addButtons(event.detail.elt));
})();
