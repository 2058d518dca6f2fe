// `npm run serve`, `storage`, `wal`, ...: runs the program that package.json names, with the arguments of
// the user. On a fresh clone it installs the npm packages first, the pinned Node among them.
import { runPinned } from './bootstrap.js';

const [program, ...args] = process.argv.slice(2);
runPinned(new URL(`../../${program}`, import.meta.url), args);
