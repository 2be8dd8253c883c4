// Ctrl-K: type, move with the arrows, Enter goes there.
const palette = document.getElementById("palette");
const input = document.getElementById("palette-input");
const list = document.getElementById("palette-list");

export function openPalette() {
  if (!palette || palette.open) return;
  palette.showModal();
  input.value = "";
  input.focus();
  htmx.trigger(input, "sw:open");
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-palette]")) openPalette();
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
  }
});

input?.addEventListener("keydown", (event) => {
  const entries = [...list.querySelectorAll("a")];
  if (!entries.length) return;
  const at = entries.findIndex((entry) => entry.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown") choose(entries, (at + 1) % entries.length);
  else if (event.key === "ArrowUp") choose(entries, (at - 1 + entries.length) % entries.length);
  else if (event.key === "Enter") entries[Math.max(at, 0)].click();
  else return;
  event.preventDefault();
});

function choose(entries, at) {
  entries.forEach((entry, index) => entry.setAttribute("aria-selected", String(index === at)));
  entries[at].scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", entries[at].id);
}
