import { createHash } from 'node:crypto'
import { isStorable } from '../../contract/fields/text.ts'

/** Where a page ended: the sort values of its last row. */
type Position = readonly string[]

/** A page's end as an opaque text. It contains the list's name and a checksum, so that only cursors of this list are accepted. */
export function encodeCursor(list: string, position: Position): string {
  const payload = JSON.stringify([list, ...position])
  return Buffer.from(checksum(payload) + payload).toString('base64url')
}

/** The position of a cursor; undefined when the cursor was changed or belongs to another list. */
export function decodeCursor(list: string, cursor: string): Position | undefined {
  const text = Buffer.from(cursor, 'base64url').toString()
  const payload = text.slice(CHECKSUM_LENGTH)
  if (Buffer.from(text).toString('base64url') !== cursor || checksum(payload) !== text.slice(0, CHECKSUM_LENGTH)) return undefined
  const [name, ...position] = parse(payload)
  return name === list ? position : undefined
}

const CHECKSUM_LENGTH = 8

/** The checksum keeps out mistakes and not attacks, so the content may be anything. */
function parse(payload: string): string[] {
  try {
    const parsed: unknown = JSON.parse(payload)
    return Array.isArray(parsed) && parsed.every((part) => typeof part === 'string' && isStorable(part)) ? parsed : []
  } catch {
    return []
  }
}

function checksum(payload: string): string {
  return createHash('sha256').update(payload).digest('base64url').slice(0, CHECKSUM_LENGTH)
}
