import type { ProcessLife } from '../cluster/process-life.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** Requests that nodes have not answered, also when nobody waits for them any more. */
export class OwedAnswers {
  readonly #underWay = new Set<{
    readonly node: SimulatedNode;
    readonly life: ProcessLife;
    readonly what: string;
  }>();

  /** What nodes that run owe an answer. */
  get unanswered(): readonly string[] {
    return [...this.#underWay]
      .filter(({ node, life }) => node.life === life && node.isUp)
      .map(({ node, what }) => `${node.id}: ${what}`);
  }

  /** Whatever becomes of it, an answer is due as long as the process lives. */
  owed<T>(node: SimulatedNode, what: string, answer: Promise<T>): Promise<T> {
    const request = { node, life: node.life, what };
    this.#underWay.add(request);
    return answer.finally(() => this.#underWay.delete(request));
  }
}
