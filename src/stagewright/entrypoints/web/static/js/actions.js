// What follows an action: the message, and the page as it is now. Copying, theme, closing.
import { refresh } from "./refresh.js";

const TOAST_MS = 8000;
const token = document.querySelector('meta[name="csrf-token"]')?.content;

document.addEventListener("htmx:config:request", (event) => {
  if (token) event.detail.ctx.request.headers["X-CSRF-Token"] = token;
});

document.addEventListener("sw:done", () => {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  refresh();
});

document.addEventListener("htmx:after:swap", () => {
  for (const toast of document.querySelectorAll(".toast:not([data-timed])")) {
    toast.dataset.timed = "";
    if (!toast.matches(".toast-bad")) setTimeout(() => toast.remove(), TOAST_MS);
  }
});

document.addEventListener("htmx:error", (event) => {
  say(`The server could not be reached: ${event.detail.error?.message ?? "no answer"}.`);
});

export function say(text, tone = "bad") {
  const place = document.getElementById("toasts");
  const toast = document.getElementById("toast-made-here").content.cloneNode(true).firstElementChild;
  toast.classList.add(`toast-${tone}`);
  toast.querySelector("p").textContent = text;
  place.append(toast);
  setTimeout(() => toast.remove(), TOAST_MS);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.matches("[data-copy]")) await copy(button);
  if (button.matches("[data-theme-switch]")) switchTheme();
  if (button.matches("[data-dismiss]")) button.closest(".toast").remove();
  if (button.matches("[data-menu]")) toggleMenu(button);
});

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const text = source ? source.textContent.trim() : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.", "good");
  } catch {
    say("The browser does not let this page copy. Select the text instead.");
  }
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("sw-theme", root.dataset.theme); } catch { /* for this page only */ }
}

function toggleMenu(button) {
  const open = document.querySelector(".side").classList.toggle("open");
  button.setAttribute("aria-expanded", String(open));
}
