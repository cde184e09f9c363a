// For who reads by ear or goes by keys: icons are not read as words, and one key leads past the menu.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
    icon.setAttribute("aria-hidden", "true");
  }
  const content = document.getElementById("content");
  if (content) {
    content.tabIndex = -1;
    const skip = document.createElement("a");
    skip.className = "swapper-skip";
    skip.href = "#content";
    skip.textContent = "Skip to the content";
    document.body.prepend(skip);
  }
});
