// `npm test [-- STAGE...]`: installs what is needed, then runs every test (test/run.ts).
import { runPinned } from '../k8s/local/bootstrap.js';

runPinned('test/run.ts', process.argv.slice(2));
