import type { Connection } from './record.ts';

/** What `up` prints at the end: how to connect, ready to be pasted. */
export function instructions(to: Connection, context?: string): string {
  const [host = '', port = ''] = to.driver.split(':');
  const forward =
    context === undefined
      ? ''
      : `
Reach it through your cluster's API server, in a terminal of its own:

  kubectl --context ${context} --namespace ${to.namespace} port-forward service/${to.cluster} 28015 8081
`;
  return `
PhotonDB is up. How to connect is also in .photondb/up.json.
${forward}
JavaScript (npm install rethinkdb)

  const r = require('rethinkdb');
  const connection = await r.connect({ host: '${host}', port: ${port}, user: '${to.user}', password: '${to.password}' });
  console.log(await r.db('vega').table('movies').count().run(connection));

Python (pip install rethinkdb)

  from rethinkdb import r
  connection = r.connect(host='${host}', port=${port}, user='${to.user}', password='${to.password}')
  print(r.db('vega').table('movies').count().run(connection))

Kubernetes

  export KUBECONFIG=${to.kubeconfig}
  ${to.kubectl} --namespace ${to.namespace} get photon,pods

Admin page: ${to.web}/_admin (user ${to.user}, password ${to.password})

npm run down takes it away and keeps its data; npm run down -- --purge removes its data too.`;
}
