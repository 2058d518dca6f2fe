// `npm run down [-- --purge]`: see up/down.ts.
import { runPinned } from './bootstrap.js';

runPinned('k8s/local/up/down.ts', process.argv.slice(2));
