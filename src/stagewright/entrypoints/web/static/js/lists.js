// Selection with bulk actions, and named filters that this browser remembers.
const VIEWS = "sw-views";

function boxes() {
  return [...document.querySelectorAll('input[name="workflow"]')];
}

function count() {
  const bar = document.querySelector(".bulk");
  if (!bar) return;
  const chosen = boxes().filter((box) => box.checked);
  bar.hidden = chosen.length === 0;
  const text = `${chosen.length} ${chosen.length === 1 ? "workflow" : "workflows"} selected`;
  bar.querySelector("strong").textContent = text;
  for (const box of boxes()) box.closest("tr").classList.toggle("selected", box.checked);
  const all = document.getElementById("tick-all");
  if (!all) return;
  all.checked = chosen.length > 0 && chosen.length === boxes().length;
  all.indeterminate = chosen.length > 0 && !all.checked;
}

document.addEventListener("change", (event) => {
  if (event.target.id === "tick-all") for (const box of boxes()) box.checked = event.target.checked;
  if (event.target.id === "tick-all" || event.target.name === "workflow") count();
  if (event.target.id === "saved-views" && event.target.value) location.href = event.target.value;
});

document.addEventListener("htmx:after:swap", () => { count(); showViews(); });

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-clear-selection]")) {
    for (const box of boxes()) box.checked = false;
    count();
  }
  if (event.target.closest("[data-forget-view]")) forget();
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("#save-view")) return;
  event.preventDefault();
  const name = event.target.elements.view.value.trim();
  if (!name) return;
  const views = saved();
  views[name] = location.pathname + location.search;
  store(views);
  event.target.reset();
  event.target.closest("details")?.removeAttribute("open");
  showViews();
});

function saved() {
  try {
    const found = JSON.parse(localStorage.getItem(VIEWS) ?? "{}");
    return found && typeof found === "object" ? found : {};
  } catch {
    return {};
  }
}

function store(views) {
  try { localStorage.setItem(VIEWS, JSON.stringify(views)); } catch { /* not remembered */ }
}

function forget() {
  const views = saved();
  const here = location.pathname + location.search;
  for (const [name, address] of Object.entries(views)) if (address === here) delete views[name];
  store(views);
  showViews();
}

function showViews() {
  const select = document.getElementById("saved-views");
  if (!select) return;
  const here = location.pathname + location.search;
  const options = [new Option("Saved views", "")];
  for (const [name, address] of Object.entries(saved())) {
    if (typeof address === "string" && address.startsWith("/workflows")) {
      options.push(new Option(name, address, false, address === here));
    }
  }
  select.replaceChildren(...options);
  select.closest("label").hidden = options.length === 1;
  const forgetting = document.querySelector("[data-forget-view]");
  if (forgetting) forgetting.hidden = !Object.values(saved()).includes(here);
}

showViews();
