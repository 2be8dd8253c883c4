// j and k move through lists, a and r decide, ? tells which keys there are.
const TYPING = "input, textarea, select, [contenteditable], dialog[open] *";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(TYPING)) return;
  if (document.querySelector("dialog[open]")) return;
  const act = KEYS[event.key];
  if (act && act()) event.preventDefault();
});

function rows() {
  return [...document.querySelectorAll("[data-keys] [data-row]")];
}

function move(by) {
  const all = rows();
  if (!all.length) return false;
  const focused = all.indexOf(document.activeElement);
  const current = all.findIndex((row) => row.hasAttribute("aria-current"));
  const at = focused >= 0 ? focused : current;
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  next.focus();
  if (next.matches("[data-follow]")) next.click();
  return true;
}

function press(selector) {
  const button = document.querySelector(selector);
  if (!button) return false;
  button.focus();
  button.click();
  return true;
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  a: () => press("[data-key-approve]"),
  r: () => press("[data-key-reject]"),
  "/": () => {
    const field = document.querySelector("[data-key-search]");
    field?.focus();
    return Boolean(field);
  },
  "?": () => {
    document.getElementById("keys")?.showModal();
    return true;
  },
};
