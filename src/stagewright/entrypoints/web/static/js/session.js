// Signing in with a key, and out. The key is sent once and kept nowhere in the browser.
const SESSION = "/api/v1/session";

document.getElementById("sign-in")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, field = form.elements.key;
  const wrong = await tried({ method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ key: field.value.trim() }) });
  if (!wrong) {
    location.assign(form.dataset.to);
    return;
  }
  document.getElementById("key-wrong").textContent = wrong;
  field.setAttribute("aria-invalid", "true");
  field.focus();
  field.select();
});

document.addEventListener("click", async (event) => {
  if (!event.target.closest("[data-sign-out]")) return;
  const token = document.querySelector('meta[name="csrf-token"]').content;
  await tried({ method: "DELETE", headers: { "X-CSRF-Token": token } });
  location.assign("/sign-in");
});

// Returns what was wrong, nothing when it went well.
async function tried(request) {
  try {
    const answer = await fetch(SESSION, request);
    if (answer.ok) return "";
    const problem = await answer.json().catch(() => ({}));
    return [problem.detail, problem.remedy].filter(Boolean).join(" ")
      || `The server answered ${answer.status}.`;
  } catch {
    return "The server could not be reached.";
  }
}
