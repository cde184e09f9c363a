// Copies a file that is dropped on the page or chosen into the text field. Nothing is sent before the user selects "Explain".
"use strict";
(() => {
  const MOST_BYTES = 1048576; // the limit of the page
  const form = document.querySelector("form[data-drop]");
  const offer = document.getElementById("swapper-file");
  const field = form && document.getElementById(form.dataset.drop);
  if (!field || !offer) { return; }
  const input = offer.querySelector("input");
  // Prevents unfold from writing the name of the file into the next text field.
  input.hasChangeListener = true;
  const note = offer.querySelector("[role=status]");
  const read = async (file) => {
    if (!file) { return; }
    if (file.size > MOST_BYTES) {
      note.textContent = `${file.name} is larger than 1 MiB.`;
      return;
    }
    const text = await file.text();
    if (/[\u0000\ufffd]/.test(text)) {
      note.textContent = `${file.name} is not a text file: choose YAML or JSON. The field above is unchanged.`;
      return;
    }
    field.value = text;
    note.textContent = `${file.name} is in the field above.`;
    field.focus();
  };
  input.addEventListener("change", () => { read(input.files[0]); });
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!isFile(event)) { return; }
    event.preventDefault();
    form.classList.add("swapper-drop");
  });
  for (const name of ["dragleave", "drop"]) {
    document.addEventListener(name, () => { form.classList.remove("swapper-drop"); });
  }
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) { return; }
    event.preventDefault();
    read(event.dataTransfer.files[0]);
  });
  offer.hidden = false;
})();
