/** Merges that wait for PostgreSQL wait in the inboxes of so many objects. Only the first of each inbox holds a slot of Restate. */
const LANES = 4

/** The lane of a session, which is always the same one. */
export function mergeLaneOf(sessionId: string): string {
  const sum = Array.from(sessionId).reduce((codes, character) => codes + character.codePointAt(0)!, 0)
  return String(sum % LANES)
}
