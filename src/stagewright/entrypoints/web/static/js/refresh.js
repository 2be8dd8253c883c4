// Asks the server for the page's main part again and lays it over the old one, so that focus,
// scroll positions, open folds and what is being typed stay.
let asked = null;
let again = false;

// What happens while an answer is on its way may be missing in it: then the page is asked for again.
export function refresh() {
  const main = document.getElementById("main");
  if (!main || !("fresh" in main.dataset)) return Promise.resolve();
  if (asked) {
    again = true;
    return asked;
  }
  asked = htmx
    .ajax("GET", location.pathname + location.search, { target: "#main", swap: "innerMorph" })
    .finally(() => {
      asked = null;
      if (!again) return;
      again = false;
      refresh();
    });
  return asked;
}

// Returns what runs `action` once, soon after it was first called, and not more often than every
// `gap` milliseconds.
export function debounced(action, delay, gap) {
  let timer = 0, last = 0;
  return () => {
    if (timer) return;
    const wait = Math.max(delay, last + gap - performance.now());
    timer = setTimeout(() => {
      timer = 0;
      last = performance.now();
      action();
    }, wait);
  };
}
