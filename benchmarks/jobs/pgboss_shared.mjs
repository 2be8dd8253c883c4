import * as module from 'pg-boss';

const PgBoss = module.PgBoss ?? module.default;

export const DONE = 'done';

export async function started(max) {
  const boss = new PgBoss({
    connectionString: process.env.POSTGRES_URL, max, supervise: false, schedule: false,
  });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  return boss;
}
