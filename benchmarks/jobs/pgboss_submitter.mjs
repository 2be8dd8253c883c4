import { STAGES, check, converse, parcel, pause } from './common.mjs';
import { DONE, started } from './pgboss_shared.mjs';

const AT_ONCE = 500;
const boss = await started(4);

async function awaitDone(count) {
  for (let missing = count; missing > 0;) {
    const jobs = await boss.fetch(DONE, { batchSize: 1000 });
    if (jobs?.length) {
      jobs.forEach((job) => check(job.data));
      await boss.complete(DONE, jobs.map((job) => job.id));
      missing -= jobs.length;
    } else {
      await pause(5);
    }
  }
}

async function batch(names) {
  for (let from = 0; from < names.length; from += AT_ONCE) {
    const some = names.slice(from, from + AT_ONCE);
    await boss.insert(some.map((name) => ({ name: STAGES[0], data: parcel(name) })));
  }
  await awaitDone(names.length);
}

await converse({ batch, one: (name) => batch([name]) });
