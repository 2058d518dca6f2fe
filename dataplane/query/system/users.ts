import type { Datum } from '../../datum/datum.ts';
import { prettyText } from '../../datum/text.ts';
import { opFailed } from '../failure.ts';
import { entryOf } from './system-table.ts';
import type { SystemTable } from './system-table.ts';

/** `users` and `permissions`: there is one user, who may do everything. */
const admin = 'admin';
const everything = { config: true, read: true, write: true };

/** Users without permissions of their own would be allowed everything: none can be made. */
const onlyAdmin =
  'This version of PhotonDB has one user, `admin`, whose password comes from the configuration (option `admin-password-file`).';

export const usersTable: SystemTable = {
  name: 'users',
  entries: async ({ environment: { report } }) =>
    (await report.users()).map(({ name, hasPassword }) =>
      entryOf(name, () => ({ id: name, password: hasPassword })),
    ),
  write: ({ id, proposed, isKeyGenerated }) => {
    if (typeof id !== 'string' || isKeyGenerated)
      throw opFailed(`Expected a username as the primary key, got ${prettyText(id)}.`);
    if (proposed === null && id === admin)
      throw opFailed(`The user \`${admin}\` can't be deleted.`);
    if (proposed === null) throw opFailed(`User \`${id}\` not found.`);
    throw opFailed(onlyAdmin);
  },
};

export const permissionsTable = (systemDatabase: {
  readonly id: string;
  readonly name: string;
}): SystemTable => ({
  name: 'permissions',
  entries: ({ identifiers }) => {
    const { id, name } = systemDatabase;
    const database = identifiers === 'uuid' ? id : name;
    const ids: readonly Datum[] = [[admin], [admin, id]];
    return [
      entryOf(ids[0] ?? null, () => ({
        id: [admin],
        permissions: { ...everything, connect: true },
        user: admin,
      })),
      entryOf(ids[1] ?? null, () => ({
        database,
        id: [admin, id],
        permissions: everything,
        user: admin,
      })),
    ];
  },
  write: ({ id, isKeyGenerated }) => {
    if (isKeyGenerated) throw opFailed('You must specify a primary key.');
    const [user] = Array.isArray(id) ? (id as readonly Datum[]) : [];
    if (typeof user !== 'string')
      throw opFailed(
        `Expected an array of one to three items in the primary key, got ${prettyText(id)}.`,
      );
    if (user === admin)
      throw opFailed(`The permissions of the user \`${admin}\` can't be modified.`);
    throw opFailed(`No user named \`${user}\`.`);
  },
});
