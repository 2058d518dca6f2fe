/**
 * What can go wrong on the user's machine, said so that the user can mend it: one sentence on what
 * happened and, where there is something to do, one on what to do. Programs print both and end with
 * exit code 1; nothing catches it in between.
 */
export type LocalErrorCode =
  | 'local.command_failed'
  | 'local.command_missing'
  | 'local.not_root'
  | 'local.not_permitted'
  | 'local.unsupported_machine'
  | 'local.go_missing'
  | 'local.go_too_old'
  | 'local.no_network'
  | 'local.no_space'
  | 'local.build_failed'
  | 'local.no_address'
  | 'local.locked'
  | 'local.invalid_instance'
  | 'local.component_failed'
  | 'local.timeout'
  | 'local.interrupted';

export class LocalError extends Error {
  readonly code: LocalErrorCode;
  /** What the user can do about it; undefined when the message says it all. */
  readonly remedy: string | undefined;

  constructor(code: LocalErrorCode, message: string, remedy?: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'LocalError';
    this.code = code;
    this.remedy = remedy;
  }
}
