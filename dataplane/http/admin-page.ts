import { createHash } from 'node:crypto';

/** The first page for people: node, tables and rates; it asks `/api/v1/status` every two seconds. */
const style = `
:root{color-scheme:light dark;--ink:#15202b;--soft:#5b6b7b;--line:#dde4ea;--card:#fff;--ground:#f4f7f9;--accent:#0b7285}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#93a1af;--line:#2b3640;--card:#161d24;--ground:#0d1217;--accent:#3bc9db}}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
main{max-width:64rem;margin:0 auto;padding:2rem 1rem}
header{display:flex;gap:1rem;align-items:baseline;margin:0 0 1.5rem}h1{font-size:1.5rem;margin:0}h1 span{color:var(--accent)}
#node{min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;color:var(--soft)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1rem;margin-bottom:2rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem;min-width:0}
.card b{display:block;font-size:1.4rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.card small{color:var(--soft)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.75rem}table{width:100%;border-collapse:collapse}
th,td{text-align:left;padding:.6rem 1rem;border-bottom:1px solid var(--line)}th{color:var(--soft);font-weight:500}
td.bad{color:#c92a2a;font-weight:600}.stale{opacity:.5}#age{margin-left:auto;color:#c92a2a}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}tr:last-child td{border-bottom:0}
`;

const script = `
let before, at;
const byId = (id) => document.getElementById(id);
const element = (name, text, className) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};
const cell = (text, number) => element('td', text, number ? 'n' : '');
const card = (label, value) => {
  const made = element('div', undefined, 'card');
  const shown = element('b', value);
  shown.title = value;
  made.append(shown, element('small', label));
  return made;
};
const row = (table, rate, old) => {
  const made = element('tr');
  made.append(
    cell(table.database + '.' + table.name),
    cell(table.documents === null ? '–' : table.documents.toLocaleString(), true),
    cell(table.indexes, true),
    cell(rate(table.reads, old.reads), true),
    cell(rate(table.writes, old.writes), true),
  );
  return made;
};
const shardRow = (table, shard, at) => {
  const made = element('tr');
  const place = table.shards.length === 1 ? '' : ' ' + (at + 1) + ' of ' + table.shards.length;
  const states = element('td');
  for (const { node, state } of shard.replicas) {
    const role = node === shard.leader ? 'leader' : state === 'backfilling' ? 'learner' : 'voter';
    const text = node + ': ' + (state === 'ready' ? role : state === 'backfilling' ? 'learner, backfilling' : state);
    states.append(element('div', text));
  }
  made.append(
    cell(table.database + '.' + table.name + place),
    element('td', shard.leader ?? 'none', shard.leader === null ? 'bad' : ''),
    states,
  );
  return made;
};
const nowhere = () => {
  const made = element('tr');
  const only = cell('All tables are on this node alone.');
  only.colSpan = 3;
  made.append(only);
  return made;
};
const staleMs = 8000;
const showAge = () => {
  const ms = before ? performance.now() - at : 0;
  const isStale = ms > staleMs;
  byId('age').textContent = isStale ? 'as of ' + Math.round(ms / 1000) + ' s ago' : '';
  for (const id of ['tables', 'shards', 'members']) byId(id).className = isStale ? 'stale' : '';
};
const member = (each) => {
  const made = element('tr');
  const since = each.isSelf ? 'this node' : each.reason;
  made.append(cell(each.name), cell(each.status), cell(each.roles.join(', ')), cell(since));
  return made;
};
const noTables = () => {
  const made = element('tr');
  const only = cell('No tables yet.');
  only.colSpan = 5;
  made.append(only);
  return made;
};
async function refresh() {
  try {
    // An address that has a name and a password is none to ask.
    const response = await fetch(location.origin + '/api/v1/status');
    if (!response.ok) throw new Error(response.statusText);
    const status = await response.json();
    const now = performance.now();
    const seconds = before ? (now - at) / 1000 : 0;
    const rate = (a, b) => (seconds ? Math.max(0, (a - b) / seconds).toFixed(0) : '–');
    const { node, tables } = status;
    byId('node').textContent = node.name;
    byId('node').title = node.name;
    byId('cards').replaceChildren(
      card('state', node.state),
      card('version', node.version),
      card('data on disk', (node.storeBytes / 1048576).toFixed(1) + ' MiB'),
      card('integrity', node.integrity === 'ok' ? 'ok' : 'damaged'),
      card('connections', status.connections),
      card('queries/s', before ? rate(status.queries, before.queries) : '–'),
    );
    const was = (table) =>
      before?.tables.find((o) => o.database === table.database && o.name === table.name) ?? table;
    const rows = tables.map((table) => row(table, rate, was(table)));
    byId('tables').replaceChildren(...(rows.length ? rows : [noTables()]));
    const shards = tables.flatMap((table) => table.shards.map((shard, at) => shardRow(table, shard, at)));
    byId('shards').replaceChildren(...(shards.length ? shards : [nowhere()]));
    byId('members').replaceChildren(...status.members.map(member));
    [before, at] = [status, now];
    showAge();
  } catch {
    byId('cards').replaceChildren(card('state', 'unreachable'));
  }
  setTimeout(refresh, 2000);
}
refresh();
setInterval(showAge, 1000);
`;

export const adminPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>PhotonDB</title><link rel="icon" href="data:,"><style>${style}</style></head>
<body><main><header><h1><span>Photon</span>DB</h1><div id="node"></div><div id="age"></div></header><section class="cards" id="cards"></section>
<div class="scroll"><table><thead><tr><th>Table</th><th class="n">Documents</th><th class="n">Indexes</th><th class="n">Reads/s</th><th class="n">Writes/s</th></tr></thead><tbody id="tables"></tbody></table></div>
<h2>Shards</h2><div class="scroll"><table><thead><tr><th>Shard of</th><th>Leader</th><th>Replicas</th></tr></thead><tbody id="shards"></tbody></table></div>
<h2>Nodes</h2><div class="scroll"><table><thead><tr><th>Node</th><th>State</th><th>Roles</th><th>Reason</th></tr></thead><tbody id="members"></tbody></table></div></main>
<script>${script}</script></body></html>`;

const hashOf = (text: string): string =>
  `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The page runs its own script and style, asks its own port, and is shown in no frame. */
export const adminPagePolicy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
