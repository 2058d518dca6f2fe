// `npm run up [-- --kube-nodes N | --context NAME --image IMAGE]`: see up/main.ts.
import { runPinned } from './bootstrap.js';

runPinned('k8s/local/up/main.ts', process.argv.slice(2));
