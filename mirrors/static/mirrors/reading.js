// For screen readers and keyboards: hides the names of icons, and adds a link that skips the menu.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const names = {
    search: "Search", swap_horiz: "Dashboard",
    computer: "Theme: the system's", light_mode: "Theme: light", dark_mode: "Theme: dark",
  };
  for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
    icon.setAttribute("aria-hidden", "true");
    const control = icon.closest("a, button");
    // A control that has only an icon gets the name of the icon as its label.
    if (control && !control.ariaLabel && !control.title && control.textContent.trim() === icon.textContent.trim()) {
      control.ariaLabel = names[icon.textContent.trim()] || icon.textContent.trim().replaceAll("_", " ");
    }
  }
  // A link without a target is a button, which also reacts to keys.
  for (const control of document.querySelectorAll("a[x-on\\:click]:not([href])")) {
    control.role = "button";
    control.tabIndex = 0;
    control.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") { return; }
      event.preventDefault();
      control.click();
    });
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
