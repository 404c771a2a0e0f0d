import { createHash } from 'node:crypto'

/** Where a page ended: the sort values of its last row. */
export type Position = readonly string[]

/** A page's end as an opaque text. The list's name and a checksum are in it, so that only cursors of this list pass. */
export function encodeCursor(list: string, position: Position): string {
  const payload = JSON.stringify([list, ...position])
  return Buffer.from(checksum(payload) + payload).toString('base64url')
}

/** The position of a cursor; undefined when it was tampered with or belongs to another list. */
export function decodeCursor(list: string, cursor: string): Position | undefined {
  const text = Buffer.from(cursor, 'base64url').toString()
  const payload = text.slice(CHECKSUM_LENGTH)
  if (Buffer.from(text).toString('base64url') !== cursor || checksum(payload) !== text.slice(0, CHECKSUM_LENGTH)) return undefined
  const [name, ...position] = JSON.parse(payload) as [string, ...string[]]
  return name === list ? position : undefined
}

const CHECKSUM_LENGTH = 8

function checksum(payload: string): string {
  return createHash('sha256').update(payload).digest('base64url').slice(0, CHECKSUM_LENGTH)
}
