import type { z } from 'zod'

type Issue = z.core.$ZodRawIssue

/** Longer lists of allowed values are cut off, because the schema has them. */
const LISTED_MAX = 12

const OF_TYPE: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

const OF_FORMAT: Readonly<Record<string, string>> = {
  datetime: 'an RFC 3339 time such as 2026-03-01T12:00:00Z',
  date: 'a day such as 2026-03-01',
  guid: 'a UUID',
  uuid: 'a UUID',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  url: 'a URL',
}

/**
 * Zod's own messages in plain words that follow the field's name, e.g. `ref_id is missing`. A message that a schema states wins.
 * Given to each parse, as in `schema.safeParse(item, { error: plainMessage })`, because a package that others import must not
 * change zod's global settings.
 */
export function plainMessage(issue: Issue): string {
  if (issue.input === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value')) return 'is missing'
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${OF_TYPE[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `must be ${listOf(issue.values)}`
    case 'too_small':
      return tooSmall(issue)
    case 'too_big':
      return tooBig(issue)
    case 'invalid_format':
      return invalidFormat(issue)
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'unrecognized_keys':
      return 'is not a known field'
    case 'custom':
    case 'invalid_element':
    case 'invalid_key':
    case 'invalid_union':
      break
  }
  return 'is not valid'
}

/** The path of the field that is wrong, down to the name of an unknown one. */
export function pathOf(issue: z.core.$ZodIssue): PropertyKey[] {
  return issue.code === 'unrecognized_keys' ? [...issue.path, ...issue.keys.slice(0, 1)] : issue.path
}

/** A schema's own message, but for a value that is missing. */
export function unlessMissing(message: string): (issue: Issue) => string {
  return ({ input }) => (input === undefined ? 'is missing' : message)
}

function tooSmall({ origin, minimum, inclusive }: z.core.$ZodRawIssue<z.core.$ZodIssueTooSmall>): string {
  const unit = unitOf(origin, minimum)
  if (unit === undefined) return inclusive === false ? `must be more than ${minimum}` : `must be at least ${minimum}`
  return Number(minimum) === 1 ? 'must not be empty' : `must have at least ${minimum} ${unit}`
}

function tooBig({ origin, maximum, inclusive }: z.core.$ZodRawIssue<z.core.$ZodIssueTooBig>): string {
  const unit = unitOf(origin, maximum)
  if (unit === undefined) return inclusive === false ? `must be less than ${maximum}` : `must be at most ${maximum}`
  return `must have at most ${maximum} ${unit}`
}

/** What the size of a value counts; undefined for a number. */
function unitOf(origin: string, count: number | bigint): string | undefined {
  if (origin === 'string') return Number(count) === 1 ? 'character' : 'characters'
  if (origin === 'array') return Number(count) === 1 ? 'item' : 'items'
  return undefined
}

function invalidFormat({ format, pattern }: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidStringFormat>): string {
  if (format === 'regex') return `must match ${pattern}`
  const noun = OF_FORMAT[format]
  return noun === undefined ? `is not a valid ${format}` : `must be ${noun}`
}

/** `day or week`, `pending, success or failed`. */
function listOf(values: readonly unknown[]): string {
  const texts = values.map(String)
  if (texts.length > LISTED_MAX) return `one of ${texts.slice(0, LISTED_MAX).join(', ')}, …`
  return texts.length === 1 ? texts[0]! : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`
}
