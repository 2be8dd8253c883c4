import { Queue, Worker } from 'bullmq';
import { connection, isFlow } from './bullmq_shared.mjs';
import { LAST, STAGES, ready, work } from './common.mjs';

const queues = STAGES.map((stage) => new Queue(stage, { connection }));
const concurrency = Number(process.env.CONCURRENCY);

const handler = (place) => async (job) => {
  const fromChild = isFlow && place > 0;
  const given = fromChild ? Object.values(await job.getChildrenValues())[0] : job.data;
  const result = work(given);
  if (!isFlow && place < LAST) await queues[place + 1].add(STAGES[place + 1], result);
  return result;
};

const workers = STAGES.map(
  (stage, place) => new Worker(stage, handler(place), { connection, concurrency }),
);
await Promise.all(workers.map((worker) => worker.waitUntilReady()));
ready();
process.on('SIGTERM', () => process.exit(0));
