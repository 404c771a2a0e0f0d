/** A problem that the person at the terminal can solve: one sentence, no stack. */
export class StartError extends Error {}
