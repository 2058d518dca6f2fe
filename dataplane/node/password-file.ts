import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ConfigError } from '../config/config.ts';

/** A file with a password: its text without the end of the last line. Editors and `echo` write one. */
const passwordIn = (text: string): string => text.replace(/\r?\n$/, '');

/** Of the configuration; without a file it is empty. */
export function readPassword(path: string): string {
  if (path === '') return '';
  try {
    return passwordIn(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(
      `The file of --admin-password-file cannot be read: ${(error as Error).message}.`,
    );
  }
}

export const readPasswordAgain = async (path: string): Promise<string> =>
  passwordIn(await readFile(path, 'utf8'));
