/** An append that the log did not take for want of room: it is as if nobody had asked. */
export const isRefusal = (error: unknown): error is Error =>
  error instanceof Error && 'isRefusal' in error;
