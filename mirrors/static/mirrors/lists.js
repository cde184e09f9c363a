// A list refreshes itself while nobody works in it, and its rows can still be selected afterwards.
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
  // What comes after the answer was asked for counts too.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === PART && isBusy()) { event.detail.shouldSwap = false; }
  });
  document.addEventListener("htmx:afterSwap", () => { isNew = document.getElementById(PART) !== null; });
  // The script of the theme knows only the rows that it found when the page was opened: it is started for new rows as soon as
  // one of them is selected, and before it sees that.
  const start = (event) => {
    if (!isNew || !event.target.matches?.("#result_list input[type=checkbox]")) { return; }
    isNew = false;
    const parent = document.getElementById(PART).closest(".result-list-wrapper");
    window.Actions(parent.querySelectorAll("tr input.action-select"), { parent });
  };
  document.addEventListener("click", start, true);
})();
