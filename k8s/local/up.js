// `npm run up [-- --kube-nodes N | --context NAME --image IMAGE]`: see up/main.ts.
import { runPinned } from './bootstrap.js';

runPinned(new URL('./up/main.ts', import.meta.url), process.argv.slice(2));
