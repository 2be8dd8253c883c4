// One stream of events for the page. An event does not carry the page: it says that the page is
// old, and the main part is asked for again. Streamed text is shown as it comes.
import { debounced, refresh } from "./refresh.js";

const SETTLE_MS = 150;
const GAP_MS = 600; // however much happens, a page is not asked for more often
const RETRY_MS = [500, 1000, 2000, 5000];
const STREAM_CHARACTERS = 100000;
const EVENTS = [
  "WORKFLOW_CREATED", "TASK_ASSIGNED", "STAGE_COMPLETE", "ENTRY_REFUSED", "TASK_FAILED",
  "VALIDATION_FAILED", "STAGE_HELD", "GROUP_STARTED", "BRANCH_ENDED", "BRANCHES_CANCELLED",
  "APPROVAL_REQUESTED", "APPROVAL_VOTED", "WAIT_STARTED", "SIGNAL_RECEIVED", "SIGNAL_TAKEN",
  "MESSAGE_PARKED", "WORKFLOW_PAUSED", "WORKFLOW_RESUMED", "WORKFLOW_COMPLETED",
  "WORKFLOW_FAILED", "WORKFLOW_CANCELLED", "AGENT_LOGGED", "TOOL_CALLED", "TOOL_RETURNED",
  "ARTIFACT_STORED", "NOTES_TRUNCATED", "AGENT_NOTED", "gap", "message",
];

const address = document.body.dataset.live;
const changed = debounced(() => {
  refresh().then(() => htmx.trigger(document.body, "sw:live"));
}, SETTLE_MS, GAP_MS);
if ("health" in document.body.dataset) EVENTS.push("health");
let source = null;
let last = "";
let lostAt = null;
let tries = 0;
let over = false;
let timer = 0;

function show(state, text) {
  for (const place of document.querySelectorAll(".live")) {
    place.dataset.state = state;
    if (place.textContent !== text) place.textContent = text;
  }
}

function open() {
  clearTimeout(timer);
  if (!address || source || document.hidden || over) return;
  const url = new URL(address, location.href);
  url.searchParams.set("deltas", "true");
  if (last) url.searchParams.set("after", last);
  source = new EventSource(url);
  source.onopen = opened;
  source.onerror = lost;
  for (const name of EVENTS) source.addEventListener(name, heard);
  source.addEventListener("delta", streamed);
  source.addEventListener("end", ended);
  source.addEventListener("closed", lost);
}

function opened() {
  lostAt = null;
  tries = 0;
  show("live", "Live");
  changed(); // what happened between the page and the stream was not told
}

function heard(event) {
  if (event.lastEventId) last = event.lastEventId;
  changed();
}

function ended() {
  over = true;
  close();
  show("over", "Ended");
  changed();
}

function lost() {
  close();
  if (document.hidden) return;
  lostAt ??= new Date();
  show("lost", `Disconnected since ${lostAt.toLocaleTimeString("en-GB")}, retrying`);
  timer = setTimeout(open, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
}

function close() {
  source?.close();
  source = null;
}

function streamed(event) {
  const { stage, text } = JSON.parse(event.data);
  const place = document.getElementById("stream");
  if (!place || place.dataset.stage !== stage || typeof text !== "string") return;
  const bottom = place.scrollHeight - place.scrollTop - place.clientHeight < 40;
  place.append(text);
  if (place.textContent.length > STREAM_CHARACTERS) {
    place.textContent = place.textContent.slice(-STREAM_CHARACTERS / 2);
  }
  if (bottom) place.scrollTop = place.scrollHeight;
}

document.addEventListener("visibilitychange", () => {
  if (!address || over) return;
  if (document.hidden) {
    close();
    show("paused", "Paused");
  } else {
    open();
    changed();
  }
});

addEventListener("pagehide", close);
addEventListener("pageshow", (event) => { if (event.persisted) open(); });
open();
