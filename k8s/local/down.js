// `npm run down [-- --purge]`: see up/down.ts.
import { runPinned } from './bootstrap.js';

runPinned(new URL('./up/down.ts', import.meta.url), process.argv.slice(2));
