import { codec, text } from '../../membership/messages.ts';

/** Whether the others have all data of a member, as the leader of the metadata says. */
export interface NeedAnswer {
  /** `unknown`: there is no such member. `elsewhere`: another node may know. */
  readonly type: 'free' | 'needed' | 'unknown' | 'elsewhere';
  readonly why: string;
}

export const needCodec = codec<NeedAnswer>('need', {
  type: { enum: ['free', 'needed', 'unknown', 'elsewhere'] },
  why: text(65_536),
});
