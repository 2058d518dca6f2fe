import { root } from './record.ts';
import type { Connection } from './record.ts';

/** Where it is up: in a cluster of the user, or in one of our own whose nodes have an image. */
type Place = { readonly context: string } | { readonly image: string };

/** What `up` prints at the end: how to connect, ready to be pasted. */
export function instructions(to: Connection, place: Place): string {
  const context = 'context' in place ? place.context : undefined;
  const image = 'image' in place ? place.image : undefined;
  const [host = '', port = ''] = to.driver.split(':');
  const forward =
    context === undefined
      ? ''
      : `
Reach it through your cluster's API server, in a terminal of its own:

  .photondb/kubectl port-forward service/${to.cluster} 28015 8081
`;
  return `
PhotonDB is up. How to connect is also in .photondb/up.json.
${forward}
JavaScript (npm install rethinkdb)

  import r from 'rethinkdb';
  const connection = await r.connect({ host: '${host}', port: ${port}, user: '${to.user}', password: '${to.password}' });
  console.log(await r.db('vega').table('movies').count().run(connection));

Python (pip install rethinkdb)

  from rethinkdb import r
  connection = r.connect(host='${host}', port=${port}, user='${to.user}', password='${to.password}')
  print(r.db('vega').table('movies').count().run(connection))

Kubernetes

  .photondb/kubectl get photon,pods
  alias kubectl=${root}/.photondb/kubectl  # in this shell
${image === undefined ? '' : `  The nodes have the image ${image}: manifests with "image: {repository: photondb}" run here\n`}
Admin page: ${to.web}/_admin (user ${to.user}, password ${to.password})

npm run down takes it away and keeps its data; npm run down -- --purge removes its data and the caches too.`;
}
