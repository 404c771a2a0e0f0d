import { createWordFinder, type WordFinder } from './word-finder.ts'

/** The ids of a person without their kinds. */
export interface Person {
  account: ReadonlySet<string>
  session: ReadonlySet<string>
  /** Both. */
  any: ReadonlySet<string>
  /** Whether a text has a distinctive id that is no part of a longer word. */
  hasWord: WordFinder
}

/** @param shopperIds with their kinds, e.g. `account:ada` */
export function personOf(shopperIds: Iterable<string>): Person {
  const ids = { account: new Set<string>(), session: new Set<string>() }
  for (const shopperId of shopperIds) {
    const at = shopperId.indexOf(':')
    ids[shopperId.slice(0, at) as 'account' | 'session'].add(shopperId.slice(at + 1))
  }
  const any = new Set([...ids.account, ...ids.session])
  return { ...ids, any, hasWord: createWordFinder([...any].filter(isDistinctive), DISTINCTIVE_CHARACTERS, isWordAt) }
}

/** An id of so many characters is taken for the person's wherever it stands; a shorter one, e.g. `7`, only in a field that names a person. */
const DISTINCTIVE_CHARACTERS = 8
const NAMES_PERSON = /account|buyer|client|customer|member|session|shopper|user|visitor/i

/** Fields of events and payments that have one id of a shopper. An id that only begins like the person's is another one. */
const SHOPPER_FIELDS: Readonly<Record<string, 'account' | 'session' | 'any'>> = {
  account_id: 'account',
  user_id: 'account',
  session_id: 'session',
  entity_id: 'any',
}

const KIND = /^(account|session):/

/** Fields that have the ids of other things: a product may have the same id as a person. */
const OTHER_FIELDS = new Set(['asin', 'brand', 'category', 'order_id', 'product_id', 'product_ids', 'ref_id', 'seller_id'])

/**
 * Whether a JSON value, in a field of this name, has an id of the person: as a text or a number, as a word of a longer text, or as the name
 * of a field.
 */
export function isAboutPerson(value: unknown, person: Person, field = ''): boolean {
  if (OTHER_FIELDS.has(field)) return false
  if (typeof value === 'string' || typeof value === 'number') return isIdOfPerson(String(value), person, field)
  if (Array.isArray(value)) return value.some((each) => isAboutPerson(each, person, field))
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(
    ([name, each]) => (person.any.has(name) && isDistinctive(name)) || isAboutPerson(each, person, name),
  )
}

function isIdOfPerson(text: string, person: Person, field: string): boolean {
  const kind = Object.hasOwn(SHOPPER_FIELDS, field) ? SHOPPER_FIELDS[field]! : undefined
  // An entity may be a shopper id. An account may have the id `account:7`.
  if (kind !== undefined) return person[kind].has(text) || (kind === 'any' && person.any.has(text.replace(KIND, '')))
  if (person.any.has(text) && (isDistinctive(text) || NAMES_PERSON.test(field))) return true
  return hasWord(text, person)
}

/** Whether a text has an id that is no part of a longer word. An address or a form may have it with percents. */
export function hasWord(text: string, person: Person): boolean {
  if (person.hasWord(text)) return true
  const decoded = text.includes('%') ? withoutPercents(text) : text
  if (decoded !== text && person.hasWord(decoded)) return true
  return decoded.includes('+') && person.hasWord(decoded.replaceAll('+', ' '))
}

function withoutPercents(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString())
}

function isDistinctive(id: string): boolean {
  return id.length >= DISTINCTIVE_CHARACTERS
}

/** A dot belongs to a word when more of the word follows it: `ada.lovelace` is not in `ada.lovelace.2`. */
const ENDS_IN_WORD = /[\p{L}\p{N}_-]\.?$/u
const BEGINS_IN_WORD = /^\.?[\p{L}\p{N}_-]/u
/** A dot and a character of two units. */
const WORD_UNITS = 3

function isWordAt(text: string, at: number, id: string): boolean {
  const end = at + id.length
  return (
    !ENDS_IN_WORD.test(text.slice(Math.max(0, at - WORD_UNITS), at)) && !BEGINS_IN_WORD.test(text.slice(end, end + WORD_UNITS))
  )
}

/** Whether a rejected item, as it is kept, is about a person. A webhook may have its body in base64. */
export function isKeptAboutPerson(text: string, person: Person): boolean {
  const value = jsonOf(text)
  if (value === undefined) return hasWord(text, person) || hasFieldOf(text, person)
  if (isAboutPerson(value, person)) return true
  const { form, body } = (typeof value === 'object' && value !== null ? value : {}) as { form?: unknown; body?: unknown }
  return form === 'base64' && typeof body === 'string' && hasWord(Buffer.from(body, 'base64').toString(), person)
}

const FIELD = /"([^"\\]+)"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d+))/g

/** The same for JSON that was cut: whether one of its fields, at any depth, has an id of the person. */
function hasFieldOf(text: string, person: Person): boolean {
  return [...text.matchAll(FIELD)].some(([_all, name = '', quoted, digits]) =>
    isAboutPerson(quoted === undefined ? digits : jsonOf(`"${quoted}"`), person, name),
  )
}

/** Undefined for a text that is no JSON, e.g. one that was cut. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
