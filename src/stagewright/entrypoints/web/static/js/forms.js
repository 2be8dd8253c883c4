// The two ways to fill in a form: fields, or JSON. Only the way that is shown is sent.
document.addEventListener("click", (event) => {
  const tab = event.target.closest("[data-way]");
  if (!tab) return;
  const form = tab.closest("form");
  for (const each of form.querySelectorAll("[data-way]")) {
    each.setAttribute("aria-selected", String(each === tab));
  }
  form.elements.way.value = tab.dataset.way;
  for (const part of form.querySelectorAll("[data-part]")) {
    const shown = part.dataset.part === tab.dataset.way;
    part.hidden = !shown;
    for (const field of part.querySelectorAll("input, select, textarea")) field.disabled = !shown;
  }
});

document.addEventListener("htmx:after:swap", () => {
  const errors = document.querySelector("#form-errors [data-errors]");
  if (!errors) return;
  const form = errors.closest("form");
  for (const field of form.querySelectorAll("[aria-invalid]")) clear(field);
  let first = null;
  for (const item of errors.querySelectorAll("[data-field]")) {
    const field = document.getElementById(item.dataset.field);
    if (!field || field.disabled) continue;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", item.id);
    first ??= field;
  }
  (first ?? errors).focus();
  errors.removeAttribute("data-errors");
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[aria-invalid]")) clear(event.target);
});

function clear(field) {
  field.removeAttribute("aria-invalid");
  field.removeAttribute("aria-describedby");
}
