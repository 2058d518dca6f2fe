import type { MemberView } from '../membership/member-view.ts';

/**
 * Whether a node quarantines itself because its log is damaged. It does where another node with data is there to
 * serve: without one, a node with damage serves what is intact.
 */
interface DamagedTable {
  readonly name: string;
  readonly damage: { readonly code: string; readonly message: string };
}

/** The reason; undefined when the node goes on. */
export function selfQuarantineReason(
  damaged: readonly DamagedTable[],
  members: readonly Pick<MemberView, 'isSelf' | 'status' | 'roles'>[],
): string | undefined {
  const corrupt = damaged.find(({ damage }) => damage.code === 'wal.corrupt');
  const hasOther = members.some(
    ({ isSelf, status, roles }) => !isSelf && status === 'alive' && roles.includes('data'),
  );
  return corrupt === undefined || !hasOther
    ? undefined
    : `table ${corrupt.name}: ${corrupt.damage.message}`;
}
