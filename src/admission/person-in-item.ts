/** An id of so many characters is taken for the person's wherever it stands; a shorter one, e.g. `7`, only in a field that names a person. */
const DISTINCTIVE_CHARACTERS = 8
const NAMES_PERSON = /account|buyer|client|customer|member|session|shopper|user|visitor/i

/** Whether a JSON value, in a field of this name, has one of the ids: as a text or a number, or as a word of a longer text. */
export function isAboutPerson(value: unknown, ids: ReadonlySet<string>, field = ''): boolean {
  if (typeof value === 'string' || typeof value === 'number') {
    const text = String(value)
    if (ids.has(text) && (isDistinctive(text) || NAMES_PERSON.test(field))) return true
    return hasWord(text, ids)
  }
  if (Array.isArray(value)) return value.some((each) => isAboutPerson(each, ids, field))
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([name, each]) => isAboutPerson(each, ids, name))
}

/** Whether a text has an id that is no part of a longer word. */
export function hasWord(text: string, ids: Iterable<string>): boolean {
  return [...ids].some((id) => isDistinctive(id) && isWordIn(text, id))
}

function isDistinctive(id: string): boolean {
  return id.length >= DISTINCTIVE_CHARACTERS
}

const WORD = /[\p{L}\p{N}_-]/u

function isWordIn(text: string, id: string): boolean {
  for (let at = text.indexOf(id); at >= 0; at = text.indexOf(id, at + 1)) {
    if (!WORD.test(text.charAt(at - 1)) && !WORD.test(text.charAt(at + id.length))) return true
  }
  return false
}

/** Whether a rejected item, as it is kept, is about a person. A webhook may have its body in base64. */
export function isKeptAboutPerson(text: string, ids: ReadonlySet<string>): boolean {
  const value = jsonOf(text)
  if (value === undefined) return hasWord(text, ids)
  if (isAboutPerson(value, ids)) return true
  const { form, body } = (typeof value === 'object' && value !== null ? value : {}) as { form?: unknown; body?: unknown }
  return form === 'base64' && typeof body === 'string' && hasWord(Buffer.from(body, 'base64').toString('latin1'), utf8Of(ids))
}

/** The ids as they are in bytes that are read one character per byte. */
function* utf8Of(ids: Iterable<string>): Generator<string> {
  for (const id of ids) yield Buffer.from(id).toString('latin1')
}

/** Undefined for a text that is no JSON, e.g. one that was cut. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
