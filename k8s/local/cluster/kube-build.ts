import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { LocalError } from '../host/errors.ts';
import { cacheFolder, hashOf, requireSpace } from '../host/files.ts';
import { withLock } from '../host/lock.ts';
import { mustRun, run } from '../host/run.ts';
import type { RunResult } from '../host/run.ts';
import type { Step } from '../host/steps.ts';

/**
 * Builds the Go program of `kube/` once and keeps it outside the checkout, in a folder named by the
 * hash of everything that goes into it. The folder appears by one rename: when it is there, it is whole.
 */
const source = join(import.meta.dirname, '..', 'kube');

/** The names under which the program is called, each a symbolic link to it. */
const commandNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'coredns',
  'kubectl',
  'helm',
  'provisioner',
] as const;

const goMinorMin = 26;
/** Modules, the compiler's cache and the result: 886 MB + 3.4 GB + 0.2 GB measured. */
const spaceGigabytes = 6;
const buildTimeoutMs = 60 * 60_000;
/** Collecting garbage less often makes the compiler 9 % faster; it needs at most 3 GB here. */
const compilerGarbageCollection = '400';

const networkTrouble =
  /dial tcp|proxyconnect|no such host|i\/o timeout|connection refused|connection reset|TLS handshake|x509:|502 Bad Gateway|503 Service/i;

/** The folder with the program and its names, built when it is not there yet. */
export async function ensureKube(step: Step, signal?: AbortSignal): Promise<string> {
  const folder = join(cacheFolder(), `kube-${inputsHash().slice(0, 16)}`);
  if (existsSync(folder)) {
    step.progress('built already');
    return folder;
  }
  mkdirSync(cacheFolder(), { recursive: true });
  const lock = {
    timeoutMs: buildTimeoutMs,
    onWait: () => step.progress('waiting for another build of the same program'),
  };
  await withLock(join(cacheFolder(), 'build.lock'), lock, async () => {
    if (!existsSync(folder)) await buildInto(folder, step, signal);
  });
  return folder;
}

function inputsHash(): string {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.go$|^go\.(mod|sum)$/.test(name))
    .sort();
  return hashOf([
    ...files.map((name) => [name, readFileSync(join(source, name))] as const),
    ['linker flags', linkerFlags()],
    ['machine', process.arch],
  ]);
}

/** Tells the program its version, as Kubernetes' own build does. */
function linkerFlags(): string {
  const module = readFileSync(join(source, 'go.mod'), 'utf8');
  const version = /^\s*k8s\.io\/kubernetes (v1\.(\d+)\.\d+)$/m.exec(module);
  const values = {
    gitVersion: version?.[1],
    gitMajor: '1',
    gitMinor: version?.[2],
    gitTreeState: 'clean',
    gitCommit: 'go-modules',
    buildDate: '1970-01-01T00:00:00Z',
  };
  const settings = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap(
    (name) => Object.entries(values).map(([key, value]) => `-X ${name}.${key}=${value}`),
  );
  return ['-s', '-w', ...settings].join(' ');
}

/** Go says "go version go1.26.8 linux/amd64". */
export function checkGoVersion(said: string): void {
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(said) ?? [];
  if (Number(major) > 1 || (Number(major) === 1 && Number(minor) >= goMinorMin)) return;
  throw new LocalError(
    'local.go_too_old',
    `building Kubernetes needs Go 1.${goMinorMin} or later, and "go version" says: ${said.trim()}`,
    `Debian's own Go is too old. Install a current one from https://go.dev/dl/ and put its bin folder first in PATH.`,
  );
}

async function requireGo(): Promise<void> {
  let said: string;
  try {
    // Outside of the module, so that an old Go does not try to download a newer one of itself.
    said = await mustRun(['go', 'version'], { cwd: '/', env: { GOTOOLCHAIN: 'local' } });
  } catch (error) {
    if (!(error instanceof LocalError && error.code === 'local.command_missing')) throw error;
    throw new LocalError(
      'local.go_missing',
      `building Kubernetes needs Go 1.${goMinorMin} or later, and there is no "go" in PATH`,
      'Install it from https://go.dev/dl/ (one archive) and put its bin folder first in PATH; Debian 12 has only Go 1.19.',
    );
  }
  checkGoVersion(said);
}

async function buildInto(folder: string, step: Step, signal?: AbortSignal): Promise<void> {
  await requireGo();
  requireSpace(cacheFolder(), spaceGigabytes, 'the first build of Kubernetes');
  removeUnfinished();
  const unfinished = `${folder}.unfinished-${process.pid}`;
  mkdirSync(unfinished);
  step.progress('downloading Go modules');
  let modules = 0;
  const onModule = (line: string): void => {
    if (/\.zip: 200/.test(line)) step.progress(`downloading Go modules: ${++modules}`);
  };
  await go(['mod', 'download', '-x'], { onLine: onModule, signal });
  const total = (await go(['list', '-deps', './...'], { signal })).stdout.split('\n').length;
  let packages = 0;
  const build = ['build', '-v', '-trimpath', '-buildvcs=false', '-ldflags', linkerFlags(), '-o'];
  const onPackage = (): void => {
    step.progress(`compiling package ${++packages} of at most ${total}, then linking`);
  };
  await go([...build, join(unfinished, 'kube'), '.'], { onLine: onPackage, signal });
  await go([...build, join(unfinished, 'pause'), './pause'], { signal });
  for (const name of commandNames) symlinkSync('kube', join(unfinished, name));
  renameSync(unfinished, folder);
  step.progress(`compiled ${packages} packages`);
}

/** What builds left that were killed. The lock is held: none of them is alive. */
function removeUnfinished(): void {
  for (const name of readdirSync(cacheFolder())) {
    if (name.includes('.unfinished-')) rmSync(join(cacheFolder(), name), { recursive: true });
  }
}

/**
 * The compiler's cache and the modules lie beside the result, so that `down -- --purge` takes them away.
 * What the user has downloaded for other programs is used from there.
 */
export function goEnvironment(
  cache: string,
  users: { readonly GOMODCACHE?: string; readonly GOPROXY?: string },
): Readonly<Record<string, string>> {
  const { GOMODCACHE: modules = '', GOPROXY: proxy = '' } = users;
  const sources = [...(modules === '' ? [] : [`file://${modules}/cache/download`]), proxy];
  return {
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
    GOGC: compilerGarbageCollection,
    // Else its folders could not be removed but by root.
    GOFLAGS: '-modcacherw',
    GOCACHE: join(cache, 'go-build'),
    GOMODCACHE: join(cache, 'go-modules'),
    GOPROXY: sources.filter((source) => source !== '').join(','),
  };
}

/** Defaults of Go. */
async function usersGo(): Promise<{ readonly GOMODCACHE?: string; readonly GOPROXY?: string }> {
  const said = await mustRun(['go', 'env', '-json', 'GOMODCACHE', 'GOPROXY'], {
    cwd: '/',
    env: { GOTOOLCHAIN: 'local' },
  });
  return JSON.parse(said) as { GOMODCACHE?: string; GOPROXY?: string };
}

interface GoOptions {
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

async function go(args: readonly string[], { onLine, signal }: GoOptions): Promise<RunResult> {
  const result = await run(['go', ...args], {
    cwd: source,
    env: goEnvironment(cacheFolder(), await usersGo()),
    timeoutMs: buildTimeoutMs,
    ...(onLine && { onLine }),
    ...(signal && { signal }),
  });
  if (result.code !== 0) throw buildError(args[0] ?? '', result.stderr);
  return result;
}

export function buildError(what: string, said: string): LocalError {
  // Lines with # repeat what was tried (-x), not what failed.
  const lines = said.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const end = lines.slice(-8).join('\n');
  if (/no space left/i.test(said)) {
    return new LocalError(
      'local.no_space',
      `the disk is full: go ${what} said\n${end}`,
      'Free some space, or point PHOTONDB_CACHE to a larger disk; what is compiled already is kept.',
    );
  }
  if (networkTrouble.test(said)) {
    return new LocalError(
      'local.no_network',
      `Go modules cannot be downloaded: go ${what} said\n${end}`,
      'Check the network; behind a proxy set HTTPS_PROXY, or GOPROXY to a mirror that you can reach. What is downloaded already is kept.',
    );
  }
  return new LocalError('local.build_failed', `go ${what} failed:\n${end}`);
}
