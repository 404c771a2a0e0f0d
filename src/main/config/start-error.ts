/** A problem that the person at the terminal can solve: one sentence, no stack. */
export class StartError extends Error {}

/** A command line that cannot be, or that does not fit the files that it names. */
export class UsageError extends StartError {}

/** The person at the terminal ended the command before its work was done. */
export class InterruptedError extends StartError {}
