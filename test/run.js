// `npm test [-- STAGE...]`: installs what is needed, then runs every test (test/run.ts).
import { runPinned } from '../k8s/local/bootstrap.js';

runPinned(new URL('./run.ts', import.meta.url), process.argv.slice(2));
