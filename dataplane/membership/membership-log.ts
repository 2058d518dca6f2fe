/** Where membership logs to: what a node's logger offers. */
export interface MembershipLog {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
}
