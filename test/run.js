// `npm test [-- STAGE... PART_OF_A_PATH...]`: installs what is needed, then runs the tests (test/run.ts).
import { runPinned } from '../k8s/local/bootstrap.js';

runPinned(new URL('./run.ts', import.meta.url), process.argv.slice(2));
