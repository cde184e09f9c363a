// Ranges of time are shown and taken in the viewer's own zone; the server is asked in UTC.
"use strict";
(() => {
  const two = (number) => String(number).padStart(2, "0");
  const firstAndLast = { from: "00:00:00", to: "23:59:59" };
  // The two fields of each end of a range: its date, and its time.
  const ends = (form) => [...form.querySelectorAll(".vDateField[name$='_from_0'], .vDateField[name$='_to_0']")].map((date) => ({
    date, time: form.elements[date.name.slice(0, -1) + "1"],
    whole: firstAndLast[date.name.split("_").at(-2)],
  })).filter((end) => end.time && end.date.value.trim());
  document.addEventListener("DOMContentLoaded", () => {
    // Django would say "today" for the server's, and warn of each field that the viewer's clock is another.
    delete document.body.dataset.adminUtcOffset;
    for (const form of document.forms) {
      for (const { date, time, whole } of ends(form)) {
        const at = new Date(`${date.value.trim()}T${time.value.trim() || whole}Z`);
        if (isNaN(at)) { continue; }
        date.value = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
        time.value = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
      }
    }
  });
  document.addEventListener("formdata", (event) => {
    for (const { date, time, whole } of ends(event.target)) {
      const at = new Date(`${date.value.trim()}T${time.value.trim() || whole}`);
      // What is no time is sent as it is: the server says so.
      if (isNaN(at)) { continue; }
      const [day, rest] = at.toISOString().split("T");
      event.formData.set(date.name, day);
      event.formData.set(time.name, rest.slice(0, 8));
    }
  });
})();
