// One queue per stage. A worker takes a batch, inserts the next stage's jobs, and completes it as one.
import { LAST, STAGES, ready, work } from './common.mjs';
import { DONE, started } from './pgboss_shared.mjs';

const boss = await started(10);
const batchSize = Number(process.env.BATCH);
const notifies = process.env.NOTIFY === '1';
const workers = new Map();

for (const queue of [...STAGES, DONE]) await boss.createQueue(queue);

const handler = (place) => async (jobs) => {
  const next = place < LAST ? STAGES[place + 1] : DONE;
  await boss.insert(jobs.map((job) => ({ name: next, data: work(job.data) })));
  if (notifies && workers.has(next)) boss.notifyWorker(workers.get(next));
};

for (const [place, stage] of STAGES.entries()) {
  const options = { batchSize, pollingIntervalSeconds: 0.5 };
  workers.set(stage, await boss.work(stage, options, handler(place)));
}
ready();
process.on('SIGTERM', () => process.exit(0));
