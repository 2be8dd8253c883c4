// An agent in Node.js 20, without dependencies: it serves `headline`, which makes titles of texts.
//
//   STAGEWRIGHT_ADDRESS=http://127.0.0.1:PORT STAGEWRIGHT_TOKEN=... node agent.mjs
//
// It claims one task at a time by a long poll, renews its lease while it works, tells what it does,
// and hands in the output. Every call may be sent again, so a server that dies costs a moment.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

const { STAGEWRIGHT_ADDRESS: address, STAGEWRIGHT_TOKEN: token } = process.env;
if (!address) throw new Error('set STAGEWRIGHT_ADDRESS to the address that the server printed');

const AGENT = 'headline';
const LEASE_S = 15;
const holder = `${hostname()}-${process.pid}`;
const TEXT = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } };
const TITLE = {
  type: 'object',
  required: ['title'],
  properties: { title: { type: 'string', maxLength: 24 } },
};

let stopping = false;
const leave = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => { stopping = true; leave.abort(); });
}
const pause = (seconds) => new Promise((resume) => setTimeout(resume, seconds * 1000));

// Sends one request until it is answered; a refusal (4xx) is thrown with the server's reason.
async function call(method, path, body, signal) {
  for (let delay = 0.2; ; delay = Math.min(delay * 2, 5)) {
    let answer;
    try {
      answer = await fetch(`${address}/api/v1${path}`, {
        method,
        signal,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const text = await answer.text();
      if (answer.ok) return text ? JSON.parse(text) : null;
      if (answer.status < 500) {
        const problem = JSON.parse(text);
        throw Object.assign(new Error(problem.detail), { status: answer.status });
      }
    } catch (error) {
      if (error.status || signal?.aborted) throw error;
    }
    await pause(delay); // no answer, or the server is in trouble: the same request again
  }
}

// The work itself. What broke the contract last time stands in the feedback.
function headline(task) {
  const invalid = task.feedback.findLast((round) => round.outcome === 'invalid');
  const words = task.input.text.split(' ');
  const title = invalid ? words.slice(0, 3).join(' ') : task.input.text;
  return { title: title.toUpperCase() };
}

async function work(task) {
  const path = `/tasks/${task.task}`;
  const tell = (event) => call('POST', `${path}/events`, { token: task.token, events: [event] });
  const renew = { token: task.token, lease_s: LEASE_S };
  const heart = setInterval(
    () => call('POST', `${path}/extend`, renew).catch((error) => console.error(error.message)),
    (LEASE_S / 3) * 1000,
  );
  try {
    await tell({ event: 'log', message: `attempt ${task.attempt}`, fields: { node: process.version } });
    const output = headline(task);
    await tell({ event: 'delta', text: output.title });
    const receipt = await call('POST', `${path}/complete`, { token: task.token, output });
    console.log(`${task.task}: ${receipt.result}`);
  } catch (error) {
    if (error.status === 409) return console.error(error.message); // somebody else has it now
    const { name, message } = error;
    await call('POST', `${path}/fail`, { token: task.token, type: name, message });
  } finally {
    clearInterval(heart);
  }
}

await call('PUT', `/agents/${AGENT}/contract`, { version: '1.0.0', input: TEXT, output: TITLE });
console.log(`serving ${AGENT} as ${holder}`);
while (!stopping) {
  const wish = { version: '1', holder, claim_id: randomUUID(), wait_s: 20, lease_s: LEASE_S };
  const claimed = await call('POST', `/agents/${AGENT}/claim`, wish, leave.signal).catch((error) => {
    if (!stopping) throw error;
    return { tasks: [] };
  });
  for (const task of claimed.tasks) await work(task);
}
