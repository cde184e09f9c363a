// Shows and reads time ranges in the viewer's time zone; requests to the server have UTC.
"use strict";
(() => {
  const two = (number) => String(number).padStart(2, "0");
  const firstAndLast = { from: "00:00:00", to: "23:59:59" };
  // The two fields of each end of a range: the date and the time.
  const ends = (form) => [...form.querySelectorAll(".vDateField[name$='_from_0'], .vDateField[name$='_to_0']")].map((date) => ({
    date, time: form.elements[date.name.slice(0, -1) + "1"],
    whole: firstAndLast[date.name.split("_").at(-2)],
  })).filter((end) => end.time);
  // Year, month, day, hour, minute and second of a time in a format that the server accepts; null for anything else.
  const parts = (date, time) => {
    const found = /^(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2})(?::(\d{1,2}))?$/.exec(`${date.trim()} ${time.trim()}`);
    return found && [+found[1], found[2] - 1, +found[3], +found[4], +found[5], +(found[6] ?? 0)];
  };
  // Use the values from the server: when the user navigates back, browsers restore text that was typed for another list.
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
    // Otherwise Django's "today" is the server's day, and each field has a warning that the viewer's clock differs.
    delete document.body.dataset.adminUtcOffset;
    show();
  });
  window.addEventListener("pageshow", show);
  document.addEventListener("formdata", (event) => {
    for (const { date, time, whole } of ends(event.target)) {
      const given = parts(date.value, time.value.trim() || whole);
      // Send an invalid time unchanged, so that the server rejects it.
      if (!given) { continue; }
      const [day, rest] = new Date(...given).toISOString().split("T");
      event.formData.set(date.name, day);
      event.formData.set(time.name, rest.slice(0, 8));
    }
  });
})();
