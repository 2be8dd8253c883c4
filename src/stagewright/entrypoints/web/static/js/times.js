// Keeps relative times true.
const UNITS = [[86400000, "d"], [3600000, "h"], [60000, "min"], [1000, "s"]];

function ago(at, now) {
  const apart = Math.abs(now - at);
  if (apart < 10000) return at <= now ? "just now" : "in a moment";
  const [size, unit] = UNITS.find(([s]) => apart >= s) ?? UNITS[3];
  const text = `${Math.floor(apart / size)} ${unit}`;
  return at <= now ? `${text} ago` : `in ${text}`;
}

function update() {
  const now = Date.now();
  for (const element of document.querySelectorAll('time[data-shown="ago"]')) {
    const text = ago(Number(element.dataset.at), now);
    if (element.textContent !== text) element.textContent = text;
  }
}

setInterval(() => { if (!document.hidden) update(); }, 5000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) update(); });
