import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { debianRecord } from '../../k8s/local/cluster/layout.ts';
import { ensureDebianPackages } from '../../k8s/local/host/debian.ts';
import { cached } from './cache.ts';

const run = promisify(execFile);
const folder = join(import.meta.dirname, 'java');
const installDeadlineMs = 600_000;
const walkDeadlineMs = 60_000;
/** Pinned: what copies the driver and what it depends on. */
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';

const answers = (program: string): Promise<boolean> =>
  run(program, ['-version'], { timeout: walkDeadlineMs }).then(
    () => true,
    () => false,
  );

/** A JDK and Maven, from Debian where the machine has none. */
async function ensureJava(): Promise<void> {
  const missing = [
    ...((await answers('javac')) ? [] : ['default-jdk-headless']),
    ...((await answers('mvn')) ? [] : ['maven']),
  ];
  await ensureDebianPackages({ progress: () => undefined }, debianRecord, missing);
}

/** The class path of the walk: the driver, pinned in `pom.xml`, and the compiled program. */
export async function javaWalk(): Promise<string> {
  const files = ['pom.xml', 'Walk.java'].map((name) => join(folder, name));
  const ingredients = [copyDependencies, ...files.map((file) => readFileSync(file, 'utf8'))];
  const directory = await cached('java-driver', ingredients, async (unfinished) => {
    await ensureJava();
    for (const file of files) copyFileSync(file, join(unfinished, file.slice(folder.length + 1)));
    const options = { cwd: unfinished, timeout: installDeadlineMs };
    const jars = join(unfinished, 'jars');
    await run('mvn', ['-q', '-B', copyDependencies, `-DoutputDirectory=${jars}`], options);
    mkdirSync(join(unfinished, 'classes'));
    await run('javac', ['-cp', join(jars, '*'), '-d', 'classes', 'Walk.java'], options);
  });
  return [join(directory, 'classes'), join(directory, 'jars', '*')].join(delimiter);
}

export async function runWalk(classPath: string, args: readonly string[]): Promise<string> {
  const all = ['-cp', classPath, 'Walk', ...args];
  const { stdout } = await run('java', all, { timeout: walkDeadlineMs });
  return stdout;
}
