// Dialogs come from the server when they are asked for; the command in them follows the fields.
document.addEventListener("htmx:after:swap", (event) => {
  const dialog = document.getElementById("dialog");
  const body = dialog?.firstElementChild;
  if (event.detail?.ctx?.target !== dialog || !body || dialog.open) return;
  dialog.classList.toggle("wide", body.matches("[data-wide]"));
  dialog.showModal();
  const first = body.querySelector("input:not([type=hidden]), select, textarea, button[type=submit]");
  first?.focus();
  follow(body);
});

document.addEventListener("close", (event) => {
  if (event.target.id === "dialog") event.target.replaceChildren();
}, true);

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  if (event.target instanceof HTMLDialogElement) event.target.close();
});

document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-command-form]");
  if (form) follow(form);
});

function follow(scope) {
  const code = scope.querySelector("code[data-command]");
  if (!code) return;
  const parts = [code.dataset.command];
  for (const field of scope.querySelectorAll("[data-flag]")) {
    const value = field.value.trim();
    if (value) parts.push(field.dataset.flag, quoted(value));
  }
  code.textContent = parts.join(" ");
}

function quoted(text) {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}
