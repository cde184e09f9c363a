// A list refreshes itself while the user does not interact with it, and its new rows can be selected.
"use strict";
(() => {
  const PART = "swapper-list";
  let isNew = false;
  const isBusy = () => document.hidden
    || document.querySelector("#result_list input:checked") !== null
    || document.getElementById(PART)?.contains(document.activeElement)
    || window.getSelection()?.isCollapsed === false;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id === PART && isBusy()) { event.preventDefault(); }
  });
  // Check again, because the user may have started to interact with the list after the request was sent.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === PART && isBusy()) { event.detail.shouldSwap = false; }
  });
  document.addEventListener("htmx:afterSwap", () => { isNew = document.getElementById(PART) !== null; });
  // The theme's script handles only the rows that existed when the page was opened. It is started for new rows when one of
  // them is selected first, before it handles that event.
  const start = (event) => {
    if (!isNew || !event.target.matches?.("#result_list input[type=checkbox]")) { return; }
    isNew = false;
    const parent = document.getElementById(PART).closest(".result-list-wrapper");
    window.Actions(parent.querySelectorAll("tr input.action-select"), { parent });
  };
  document.addEventListener("click", start, true);
})();
