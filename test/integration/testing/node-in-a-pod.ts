/**
 * The part of a node that gets certificates, as it runs in a pod: with the files that the kubelet mounts,
 * which the test writes in its place, and with tokens that are bound to a real pod.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignedCertificate } from '../../../dataplane/kubernetes/bootstrap.ts';
import { askForCertificate, obtainCertificate } from '../../../dataplane/kubernetes/bootstrap.ts';
import { OwnNode } from '../../../dataplane/kubernetes/own-node.ts';
import { TrustWatch } from '../../../dataplane/kubernetes/trust-watch.ts';
import {
  authorityHash,
  authorityOf,
  createRequest,
  validityOfText,
  verifyCertificate,
} from '../../../dataplane/security/certificates.ts';
import type { NodeIdentity } from '../../../dataplane/security/node-identity.ts';
import { tokenOfAccount } from '../../../operator/cluster/testing/accounts.ts';
import type { Stage } from '../../../operator/cluster/testing/stage.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { resources } from '../../../operator/kube/object.ts';
import { controlPlaneConfig } from '../../../operator/kube/testing/control-plane.ts';

interface ConfigMap extends KubeObject {
  readonly data: Readonly<Record<string, string>>;
}

const clock = {
  sleep: (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const timer = setTimeout(resolve, Math.min(ms, 100));
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
    }),
};

export class NodeInAPod {
  readonly #stage: Stage;
  readonly #cluster: string;
  readonly #pod: string;
  readonly identity: NodeIdentity;
  readonly directory = mkdtempSync(join(tmpdir(), 'photondb-identity-'));
  readonly waited: string[] = [];
  readonly #stopping = new AbortController();
  #node: OwnNode | undefined;
  #held: SignedCertificate | undefined;

  constructor(
    stage: Stage,
    at: { readonly cluster: string; readonly pod: string; readonly identity: NodeIdentity },
  ) {
    this.#stage = stage;
    this.#cluster = at.cluster;
    this.#pod = at.pod;
    this.identity = at.identity;
  }

  get held(): SignedCertificate {
    if (this.#held === undefined) throw new Error('the node has no certificate');
    return this.#held;
  }

  stop(): void {
    this.#stopping.abort(new Error('the node is stopped'));
    rmSync(this.directory, { recursive: true, force: true });
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.directory, file), text);
  }

  async token(audience?: string): Promise<string> {
    return tokenOfAccount(this.#stage.client, {
      namespace: this.#stage.namespace,
      account: `${this.#cluster}-node`,
      pod: this.#pod,
      ...(audience === undefined ? {} : { audience }),
    });
  }

  /** What the kubelet mounts; the endpoint is at `port` of this machine. */
  async mount(port: number): Promise<void> {
    const { ca = '' } = await (await controlPlaneConfig()).credentials();
    const trust = await this.#stage.find<ConfigMap>(resources.configMaps, `${this.#cluster}-ca`);
    this.write('token', await this.token());
    this.write('certificate-token', await this.token('photondb.io/certificates'));
    this.write('ca.crt', ca);
    this.write('namespace', this.#stage.namespace);
    this.write('cluster-ca.crt', trust?.data['ca.crt'] ?? '');
    this.write('certificate-server-name', trust?.data['server-name'] ?? '');
    this.write('certificate-endpoint', `https://127.0.0.1:${port}`);
  }

  async #own(): Promise<OwnNode> {
    const { server: apiServer } = await controlPlaneConfig();
    this.#node ??= new OwnNode({ apiServer, directory: this.directory, name: this.#pod });
    return this.#node;
  }

  async #options() {
    const { request } = await createRequest({ identity: this.identity });
    return {
      node: await this.#own(),
      directory: this.directory,
      hashOf: authorityHash,
      identity: this.identity,
      request,
      check: async ({ certificate, authorities }: SignedCertificate) => {
        await verifyCertificate(certificate, authorities, Date.now());
      },
      signal: this.#stopping.signal,
    };
  }

  /** Until there is a certificate. */
  async obtain(): Promise<void> {
    this.#held = await obtainCertificate({
      ...(await this.#options()),
      clock,
      chance: { next: () => 0.5 },
      waiting: (message) => this.waited.push(message),
    });
    await this.report();
  }

  /** One attempt; rejects with the reason. */
  async ask(): Promise<SignedCertificate> {
    return askForCertificate(await this.#options());
  }

  /** What a running node says of its certificate and its trust. */
  async report(): Promise<void> {
    const { certificate, authorities } = this.held;
    const issuer = authorityOf(certificate, authorities);
    const { notBefore, notAfter } = validityOfText(certificate);
    const node = await this.#own();
    await node.report({
      authorities: authorities.map(authorityHash),
      certificate: {
        authority: issuer === undefined ? 'unknown' : authorityHash(issuer),
        notBefore: new Date(notBefore).toISOString(),
        notAfter: new Date(notAfter).toISOString(),
      },
    });
  }

  /** Looks once at what the operator says of trust, and follows it. */
  async follow(): Promise<void> {
    const node = await this.#own();
    const watch = new TrustWatch({
      directory: this.directory,
      read: () => node.read(),
      hashOf: authorityHash,
      clock,
      chance: { next: () => 0.5 },
      current: () => {
        const { certificate, authorities } = this.held;
        const issuer = authorityOf(certificate, authorities);
        return {
          trusted: authorities.map(authorityHash),
          certificateOf: issuer === undefined ? undefined : authorityHash(issuer),
        };
      },
      adopt: (authorities) => (this.#held = { ...this.held, authorities }),
      renew: async () => {
        this.#held = await this.ask();
      },
      failed: (message) => this.waited.push(message),
    });
    await watch.look();
    await this.report();
  }

  /** The identity that this node's certificate proves to another one. */
  async provesTo(other: NodeInAPod): Promise<NodeIdentity> {
    const now = Date.now();
    return (await verifyCertificate(this.held.certificate, other.held.authorities, now)).identity;
  }
}
