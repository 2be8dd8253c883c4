// One queue per stage. In a chain each stage adds the next job; in a flow all six are added at once.
export const connection = {
  host: '127.0.0.1', port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null,
};
export const isFlow = process.env.MODE === 'flow';
