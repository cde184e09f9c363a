// Ranges of time are shown and taken in the viewer's own zone; the server is asked in UTC.
"use strict";
(() => {
  const two = (number) => String(number).padStart(2, "0");
  const firstAndLast = { from: "00:00:00", to: "23:59:59" };
  // The two fields of each end of a range: its date, and its time.
  const ends = (form) => [...form.querySelectorAll(".vDateField[name$='_from_0'], .vDateField[name$='_to_0']")].map((date) => ({
    date, time: form.elements[date.name.slice(0, -1) + "1"],
    whole: firstAndLast[date.name.split("_").at(-2)],
  })).filter((end) => end.time);
  // Year, month, day, hour, minute and second of what the server too takes for a time; null for anything else.
  const parts = (date, time) => {
    const found = /^(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2})(?::(\d{1,2}))?$/.exec(`${date.trim()} ${time.trim()}`);
    return found && [+found[1], found[2] - 1, +found[3], +found[4], +found[5], +(found[6] ?? 0)];
  };
  // As the server wrote them, of the list that is shown: a browser that comes back fills in what was typed for another.
  const show = () => {
    for (const form of document.forms) {
      for (const { date, time, whole } of ends(form)) {
        const given = parts(date.defaultValue, time.defaultValue || whole);
        if (!given) { continue; }
        const at = new Date(Date.UTC(...given));
        date.value = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
        time.value = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
      }
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    // Django would say "today" for the server's, and warn of each field that the viewer's clock is another.
    delete document.body.dataset.adminUtcOffset;
    show();
  });
  window.addEventListener("pageshow", show);
  document.addEventListener("formdata", (event) => {
    for (const { date, time, whole } of ends(event.target)) {
      const given = parts(date.value, time.value.trim() || whole);
      // An invalid time is sent unchanged: the server rejects it.
      if (!given) { continue; }
      const [day, rest] = new Date(...given).toISOString().split("T");
      event.formData.set(date.name, day);
      event.formData.set(time.name, rest.slice(0, 8));
    }
  });
})();
