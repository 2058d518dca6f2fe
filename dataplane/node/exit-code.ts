/** How the process of a node ends; a signal's own code is for who insists. */
export const exitCode = { stopped: 0, failed: 1, configuration: 2, interrupted: 130 } as const;
