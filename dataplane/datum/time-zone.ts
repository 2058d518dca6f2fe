/** Offsets of times from UTC: `Z`, `+hh`, `+hhmm` and `+hh:mm` are read, `+hh:mm` is kept. */
export type ZoneReading =
  | { readonly type: 'zone'; readonly zone: string }
  | { readonly type: 'invalid'; readonly message: string };

const invalid = (message: string): ZoneReading => ({ type: 'invalid', message });

export function readZone(text: string): ZoneReading {
  if (text === 'Z') return { type: 'zone', zone: '+00:00' };
  const match = /^([+-])(\d\d)(?::?(\d\d))?$/.exec(text);
  if (match === null) {
    const isSigned = /^[+-]/.test(text);
    return invalid(
      isSigned
        ? `Timezone \`${text}\` is not a valid time offset.`
        : `Timezone \`${text}\` does not start with \`-\` or \`+\`.`,
    );
  }
  const [, sign = '+', hours = '00', minutes = '00'] = match;
  if (Number(hours) >= 24) return invalid(`Hours out of range in \`${text}\`.`);
  if (Number(minutes) >= 60) return invalid(`Minutes out of range in \`${text}\`.`);
  if (sign === '-' && hours === '00' && minutes === '00')
    return invalid(`\`${text}\` is not a valid time offset.`);
  return { type: 'zone', zone: `${sign}${hours}:${minutes}` };
}
