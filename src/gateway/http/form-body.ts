import { isUtf8 } from 'node:buffer'
import { DecidedError } from '../../contract/decided-error.ts'
import { isStorable } from '../../contract/fields/text.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the body is a form of a page (application/x-www-form-urlencoded), and nothing else. */
    takesForm?: boolean
  }
}

export const FORM = 'application/x-www-form-urlencoded'
export const NOT_A_FORM = `content-type must be ${FORM}`
const FIELDS_MAX = 1_000

/** The fields of a form. A field that is sent several times, such as a group of checkboxes, is a list. */
export type FormFields = Record<string, string | string[]>

/** Reads a form as browsers write it. @throws DecidedError for bytes that are no UTF-8, and for too many fields. */
export function parseForm(body: Buffer): FormFields {
  if (!isUtf8(body)) throw new DecidedError('invalid_request', 'the form is not UTF-8')
  const pairs = [...new URLSearchParams(body.toString())]
  if (pairs.length > FIELDS_MAX) throw new DecidedError('invalid_request', `the form has more than ${FIELDS_MAX} fields`)
  if (!pairs.flat().every(isStorable)) throw new DecidedError('invalid_request', 'the form must not contain NUL')
  const fields = new Map<string, string | string[]>()
  for (const [name, value] of pairs) {
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : [before, value].flat())
  }
  // Each becomes a property of its own, whatever its name is.
  return Object.fromEntries(fields)
}
