import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { RootsDamagedError } from './errors.ts';

/**
 * LMDB believes the two pages that name the roots of its trees: they have no checksum, and one flipped
 * bit can name a root of long ago, below which everything is whole and old. Each commit rewrites both
 * roots, so they must have the number of the commit that was opened, and entries of their tree: free pages
 * by the commit that freed them, and databases by name. A file has no fewer pages than at the commit
 * before: pages that are in use would be handed out again. And half a page behind the first of the two, the
 * last commit that was synced is named once more: none before it is ever the last.
 *
 * Layout: MDB_page, MDB_node, MDB_meta and MDB_db of the library's mdb.c (lmdb 3.5), little endian.
 */
const inMeta = { rootOfFreePages: 88, rootOfNames: 136, lastPage: 144, commit: 152 } as const;
const inHeader = { page: 0, commit: 8, endOfPlaces: 20 } as const;
const pageHeaderBytes = 24;
const placeBytes = 2;
const inNode = { flags: 4, keyBytes: 6, key: 8 } as const;
/** The flag of an entry that names a database. */
const namesDatabase = 2;
/** A tree that has nothing. */
const noPage = 0xff_ff_ff_ff_ff_ff_ff_ffn;

/** What each of the two pages begins with: a flag in its header, and behind it magic and version. */
const inHead = { flags: 18, magic: 24, version: 28, pageSize: 48 } as const;
const head = { flag: 0x08, magic: 0xbeefc0de, version: 2, bytes: 56 } as const;
/** No larger file was made a moment before the power went. */
const newFileBytesMax = 65_536;

/**
 * For a file that no process has open. Throws `storage.corrupt` for one that does not begin as LMDB has
 * written it, which would end the process without a word. One of nothing but zeros goes: it was made,
 * and the power went before anything of it was on the medium.
 */
export function checkHeads(file: string): void {
  if (!existsSync(file) || isNothing(file)) {
    rmSync(file, { force: true });
    return;
  }
  const descriptor = openSync(file, 'r');
  try {
    const first = readHead(descriptor, 0);
    readHead(descriptor, first.readUInt32LE(inHead.pageSize));
  } finally {
    closeSync(descriptor);
  }
}

const isNothing = (file: string): boolean =>
  statSync(file).size <= newFileBytesMax && readFileSync(file).every((byte) => byte === 0);

function readHead(descriptor: number, position: number): Buffer {
  const bytes = Buffer.alloc(head.bytes);
  readSync(descriptor, bytes, { position });
  const isHead =
    (bytes.readUInt16LE(inHead.flags) & head.flag) !== 0 &&
    bytes.readUInt32LE(inHead.magic) === head.magic &&
    bytes.readUInt16LE(inHead.version) === head.version;
  if (!isHead) throw new RootsDamagedError(`there is no such page at byte ${position}`);
  return bytes;
}

/** What LMDB says of the commit that it opened. */
interface Opened {
  readonly pageSize: number;
  readonly lastTxnId: number;
}

type Read = (page: number | bigint) => Buffer;
/** One entry of a tree's page. */
interface Node {
  readonly flags: number;
  readonly key: Buffer;
}

/** Throws `storage.corrupt` when the roots are not those of the commit. For a file that was not written to since. */
export function checkRoots(file: string, { pageSize, lastTxnId }: Opened): void {
  const descriptor = openSync(file, 'r');
  try {
    const pages = Math.floor(fstatSync(descriptor).size / pageSize);
    const read: Read = (page) => {
      if (page >= pages) throw new RootsDamagedError(`the file ends before page ${page}`);
      const target = Buffer.alloc(pageSize);
      readSync(descriptor, target, { position: Number(page) * pageSize });
      return target;
    };
    const first = read(0);
    const metas = [first, read(1)];
    const commit = BigInt(lastTxnId);
    const commits = metas.map((meta) => meta.readBigUInt64LE(inMeta.commit));
    const meta = metas[commits.indexOf(commit)];
    if (meta === undefined) return;
    // All pages of a compacted copy have one number, until the next commit.
    const writtenBy = commits.includes(0n) ? 1n : commit;
    const isOfFreePages = ({ key }: Node): boolean =>
      key.length === 8 && key.readBigUInt64LE() <= commit;
    const isOfNames = ({ flags }: Node): boolean => flags === namesDatabase;
    checkRoot(meta.readBigUInt64LE(inMeta.rootOfFreePages), writtenBy, read, isOfFreePages);
    checkRoot(meta.readBigUInt64LE(inMeta.rootOfNames), writtenBy, read, isOfNames);
    const lastPage = meta.readBigUInt64LE(inMeta.lastPage);
    const before = metas[commits.indexOf(commit - 1n)]?.readBigUInt64LE(inMeta.lastPage) ?? 0n;
    if (lastPage < before)
      throw new RootsDamagedError(`it ends with page ${lastPage}, before ${before}`);
    const third = first.subarray(pageSize / 2);
    const synced = third.readBigUInt64LE(inMeta.commit);
    if (synced === 0n && third.readBigUInt64LE(inMeta.rootOfNames) !== 0n)
      throw new RootsDamagedError('the last commit that was synced has no number');
    if (synced > commit)
      throw new RootsDamagedError(`commit ${synced} was synced, and ${commit} is the last one`);
  } finally {
    closeSync(descriptor);
  }
}

function checkRoot(
  root: bigint,
  commit: bigint,
  read: Read,
  isOfTree: (node: Node) => boolean,
): void {
  if (root === noPage) return;
  const content = read(root);
  const page = content.readBigUInt64LE(inHeader.page);
  const writtenBy = content.readBigUInt64LE(inHeader.commit);
  if (page !== root || writtenBy !== commit) {
    throw new RootsDamagedError(
      `page ${root} is no root of commit ${commit}, but page ${page} of commit ${writtenBy}`,
    );
  }
  if (!nodesOf(content).every((node) => isOfTree(node)))
    throw new RootsDamagedError(`page ${root} is no root of commit ${commit}, but of another tree`);
}

/** Without those that have no key, as the first of a branch, and places outside the page. */
function nodesOf(page: Buffer): Node[] {
  const end = pageHeaderBytes + page.readUInt16LE(inHeader.endOfPlaces);
  const places = page.subarray(pageHeaderBytes, end);
  return Array.from({ length: Math.floor(places.length / placeBytes) }, (_, n) =>
    page.subarray(pageHeaderBytes + places.readUInt16LE(n * placeBytes)),
  )
    .filter((node) => node.length >= inNode.key)
    .map((node) => ({
      flags: node.readUInt16LE(inNode.flags),
      key: node.subarray(inNode.key, inNode.key + node.readUInt16LE(inNode.keyBytes)),
    }))
    .filter(({ key }) => key.length > 0);
}
