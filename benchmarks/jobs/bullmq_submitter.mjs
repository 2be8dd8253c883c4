import { FlowProducer, Queue, QueueEvents } from 'bullmq';
import { connection, isFlow } from './bullmq_shared.mjs';
import { LAST, STAGES, check, converse, parcel } from './common.mjs';

const AT_ONCE = 250;
const first = new Queue(STAGES[0], { connection });
const flows = new FlowProducer({ connection });
const events = new QueueEvents(STAGES[LAST], { connection });
const waiting = new Map();

events.on('completed', ({ returnvalue }) => {
  const result = typeof returnvalue === 'string' ? JSON.parse(returnvalue) : returnvalue;
  check(result);
  waiting.get(result.name)?.();
  waiting.delete(result.name);
});
await events.waitUntilReady();

const ended = (name) => new Promise((resolve) => { waiting.set(name, resolve); });

// The last stage is the root of the tree; children run before their parents.
const tree = (name) => STAGES.slice(1).reduce(
  (below, stage) => ({ name: stage, queueName: stage, data: {}, children: [below] }),
  { name: STAGES[0], queueName: STAGES[0], data: parcel(name) },
);

async function startFlows(names) {
  for (let from = 0; from < names.length; from += AT_ONCE) {
    await flows.addBulk(names.slice(from, from + AT_ONCE).map(tree));
  }
}

const startChains = (names) => first.addBulk(
  names.map((name) => ({ name: STAGES[0], data: parcel(name) })),
);

async function batch(names) {
  const all = Promise.all(names.map(ended));
  await (isFlow ? startFlows(names) : startChains(names));
  await all;
}

await converse({ batch, one: (name) => batch([name]) });
