// What the Node jobs share: the six stages, and the conversation with whoever measures.
import { createInterface } from 'node:readline';

export const STAGES = [
  'initialization', 'scaffolding', 'validation', 'e2e', 'integration', 'deployment',
];
export const LAST = STAGES.length - 1;
const BALLAST = 'x'.repeat(140);

let made = 0;
export const freshName = () => `w${process.pid}-${(made += 1)}`;
export const parcel = (name) => ({ number: 0, name, hops: 0, ballast: BALLAST });
export const work = (given) => ({ ...given, hops: given.hops + 1 });
export const check = (result) => {
  if (result.hops !== STAGES.length) throw new Error(`ended after ${result.hops} stages`);
};
export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
export const ready = () => console.log('READY');

async function timed(batch, count) {
  const names = Array.from({ length: count }, freshName);
  const started = performance.now();
  await batch(names);
  return { seconds: (performance.now() - started) / 1000 };
}

async function each(one, count) {
  const ms = [];
  for (let n = 0; n < count; n += 1) {
    const started = performance.now();
    await one(freshName());
    ms.push(performance.now() - started);
  }
  return { ms };
}

export async function converse({ batch, one }) {
  ready();
  for await (const line of createInterface({ input: process.stdin })) {
    const [order, count] = line.split(' ');
    const answer = await (order === 'batch' ? timed(batch, +count) : each(one, +count));
    console.log(JSON.stringify(answer));
  }
  process.exit(0);
}
