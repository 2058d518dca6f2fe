export interface SoakOptions {
  /** Of killed processes. */
  readonly rounds: number;
  /** Of power cuts. */
  readonly seeds: number;
  readonly progress: (text: string) => void;
}

/** Answers what it did in one line, or throws at the first thing that is wrong. */
export type Part = (options: SoakOptions) => Promise<string>;
export type Soak = Readonly<Record<string, Part>>;
