import { expect } from 'chai';
import { accessOf, accessText } from './recording-proxy.ts';

/** Requests as the API server understands them: who is asked for which permission. */
describe('the permission that a request needs', () => {
  const cases: readonly [method: string, url: string, access: string | undefined][] = [
    ['GET', '/api/v1/namespaces/db/pods', 'list core/pods'],
    ['GET', '/api/v1/pods?watch=true&resourceVersion=7', 'watch core/pods'],
    ['GET', '/api/v1/namespaces/db/pods/a?watch=1', 'get core/pods'],
    ['POST', '/api/v1/namespaces/db/pods/a/eviction', 'create core/pods/eviction'],
    ['PATCH', '/apis/apps/v1/namespaces/db/statefulsets/a?force=true', 'patch apps/statefulsets'],
    ['PUT', '/apis/apps/v1/namespaces/db/statefulsets/a/scale', 'update apps/statefulsets/scale'],
    ['DELETE', '/api/v1/namespaces/db/services/a', 'delete core/services'],
    ['DELETE', '/api/v1/namespaces/db/services', 'deletecollection core/services'],
    ['GET', '/api/v1/namespaces/db', 'get core/namespaces'],
    ['GET', '/api/v1/namespaces', 'list core/namespaces'],
    ['GET', '/version', undefined],
    ['GET', '/apis/apps/v1', undefined],
    ['OPTIONS', '/api/v1/pods', undefined],
  ];
  for (const [method, url, expected] of cases) {
    it(`${method} ${url}: ${expected ?? 'none'}`, () => {
      const access = accessOf(method, url);
      expect(access === undefined ? undefined : accessText(access)).to.equal(expected);
    });
  }
});
