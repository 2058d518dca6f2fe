/** The first page for people: node, tables and rates; it asks `/api/v1/status` every two seconds. */
export const adminPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>PhotonDB</title>
<style>
:root{color-scheme:light dark;--ink:#15202b;--soft:#5b6b7b;--line:#dde4ea;--card:#fff;--ground:#f4f7f9;--accent:#0b7285}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#93a1af;--line:#2b3640;--card:#161d24;--ground:#0d1217;--accent:#3bc9db}}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
main{max-width:64rem;margin:0 auto;padding:2rem 1rem}h1{font-size:1.5rem;margin:0 0 1.5rem}h1 span{color:var(--accent)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:1rem;margin-bottom:2rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem}.card b{display:block;font-size:1.4rem}.card small{color:var(--soft)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.75rem}table{width:100%;border-collapse:collapse}
th,td{text-align:left;padding:.6rem 1rem;border-bottom:1px solid var(--line)}th{color:var(--soft);font-weight:500}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}tr:last-child td{border-bottom:0}
</style></head><body><main><h1><span>Photon</span>DB</h1><section class="cards" id="cards"></section>
<div class="scroll"><table><thead><tr><th>Table</th><th class="n">Documents</th><th class="n">Indexes</th><th class="n">Reads/s</th><th class="n">Writes/s</th></tr></thead><tbody id="tables"></tbody></table></div></main>
<script>
let before, at;
const cell=(text,number)=>{const td=document.createElement('td');td.textContent=text;if(number)td.className='n';return td};
const card=(label,value)=>{const div=document.createElement('div');div.className='card';const b=document.createElement('b');b.textContent=value;const s=document.createElement('small');s.textContent=label;div.append(b,s);return div};
async function refresh(){try{const r=await fetch(location.origin+'/api/v1/status');const s=await r.json();const now=performance.now();const seconds=before?(now-at)/1000:0;
const rate=(a,b)=>seconds?Math.max(0,(a-b)/seconds).toFixed(0):'–';
document.getElementById('cards').replaceChildren(card('node',s.node.name),card('state',s.node.state),card('version',s.node.version),card('data on disk',(s.node.storeBytes/1048576).toFixed(1)+' MiB'),card('integrity',s.node.integrity==='ok'?'ok':'damaged'),card('connections',s.connections),card('queries/s',before?rate(s.queries,before.queries):'–'));
document.getElementById('tables').replaceChildren(...(s.tables.length?s.tables.map(t=>{const o=before&&before.tables.find(x=>x.database===t.database&&x.name===t.name)||t;const tr=document.createElement('tr');tr.append(cell(t.database+'.'+t.name),cell(t.documents.toLocaleString(),1),cell(t.indexes,1),cell(rate(t.reads,o.reads),1),cell(rate(t.writes,o.writes),1));return tr}):[(()=>{const tr=document.createElement('tr');const td=cell('No tables yet.');td.colSpan=5;tr.append(td);return tr})()]));
before=s;at=now}catch{document.getElementById('cards').replaceChildren(card('state','unreachable'))}}
refresh();setInterval(refresh,2000);
</script></body></html>`;
