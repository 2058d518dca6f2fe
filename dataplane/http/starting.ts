import type { RequestListener } from 'node:http';

/** What the port for health answers while the program itself is being loaded: alive, and not ready. */
const alive = new Set(['/health/live', '/health/startup', '/health']);

export const answerStarting: RequestListener = ({ url = '' }, response) => {
  response.writeHead(alive.has(url) ? 200 : 503, {
    'Content-Type': 'application/json; charset=utf-8',
  });
  response.end(JSON.stringify({ state: 'Starting', message: 'loading the program' }));
};
