import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { ArchivedRow } from '../../src/store/archive/page.ts'
import { sealingKeyOf, type ShopperKey } from '../../src/store/archive/shopper-key.ts'
import type { RestoredRow } from '../../src/store/archive/restored-month.ts'

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** The archived row as a line of JSON: the text of PostgreSQL with the personal columns at its end, encrypted when the row is of a shopper. */
export function lineOf({ line, personal, keys }: ArchivedRow): string {
  if (personal === null || keys === null) return line
  const added = keys.length === 0 ? `"personal":${JSON.stringify(personal)}` : `"sealed":"${seal(personal, sealingKeyOf(keys))}"`
  return `${line.slice(0, -1)},${added}}`
}

function seal(text: string, key: Buffer): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key, nonce)
  return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

function unseal(sealed: string, key: Buffer): string {
  const bytes = Buffer.from(sealed, 'base64url')
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString()
}

/** The fields at the beginning of a line that name shoppers. */
const NAMES = new RegExp(
  ['"account":NAME,"session":NAME,', '"entity":NAME,"texts":(?:null|(\\[[^\\]]*\\])),']
    .map((fields) => `^\\{${fields.replaceAll('NAME', '(?:null|"([0-9a-f]{32})")')}`)
    .join('|'),
)
const PSEUDONYM = /[0-9a-f]{32}/g
/** In a text of JSON a quotation mark has a backslash before it, so these are no parts of one. */
const SEALED = /,"sealed":"([\w-]+)"\}$/
const PERSONAL = /,"personal":("(?:[^"\\]|\\.)*")\}$/

/** An archived row, and whom it is about, by pseudonyms. */
export interface ArchivedLine {
  line: string
  /** By the column of the log. The first one owns the personal columns. */
  names: { column: string; pseudonym: string }[]
  /** Of texts in the payload. */
  texts: string[]
}

/** A line that was not written by Footfall. */
export class LineError extends Error {}

/** @throws LineError for a line that is no archived row. */
export function archivedLineOf(line: string): ArchivedLine {
  const match = NAMES.exec(line)
  if (match === null) throw new LineError('a line is no archived row')
  const [, account, session, entity, texts = ''] = match
  const names = Object.entries({ account_id: account, session_id: session, entity_id: entity })
  return {
    line,
    names: names.flatMap(([column, pseudonym]) => (pseudonym === undefined ? [] : [{ column, pseudonym }])),
    texts: texts.match(PSEUDONYM) ?? [],
  }
}

/** The pseudonyms whose keys `restoredRowOf` needs. */
export function pseudonymsIn(lines: readonly ArchivedLine[]): string[] {
  return [...new Set(lines.flatMap(({ names, texts }) => [...names.map(({ pseudonym }) => pseudonym), ...texts]))]
}

/**
 * A line as it is restored. A shopper without a key was erased: its row has a pseudonym of an erasure, and is without the personal columns of
 * the shopper. A session of an erased account that was not merged into it goes too, as in the log. A payload goes when one of its texts was erased.
 */
export function restoredRowOf({ line, names, texts }: ArchivedLine, keys: ReadonlyMap<string, ShopperKey>): RestoredRow {
  const [owner] = names
  const isErased = owner !== undefined && !keys.has(owner.pseudonym)
  const ids: Record<string, string> = {}
  for (const { column, pseudonym } of names) {
    const key = keys.get(pseudonym)
    if (key === undefined) ids[column] = `erased-${pseudonym}`
    else if (!isErased) ids[column] = idOf(key)
  }
  const sealedBy = [...names.slice(0, 1).map(({ pseudonym }) => pseudonym), ...texts]
  return {
    line,
    over: joined(
      JSON.stringify(ids),
      personalOf(
        line,
        sealedBy.map((pseudonym) => keys.get(pseudonym)?.key),
      ),
    ),
  }
}

const idOf = ({ shopperId }: ShopperKey) => shopperId.slice(shopperId.indexOf(':') + 1)

/** The personal columns as a JSON object; undefined without any, and when one of their keys is gone. */
function personalOf(line: string, keys: readonly (Buffer | undefined)[]): string | undefined {
  const sealed = SEALED.exec(line)?.[1]
  if (sealed !== undefined) return keys.includes(undefined) ? undefined : unseal(sealed, sealingKeyOf(keys as Buffer[]))
  const plain = PERSONAL.exec(line)?.[1]
  return plain === undefined ? undefined : (JSON.parse(plain) as string)
}

function joined(object: string, other: string | undefined): string {
  if (other === undefined) return object
  return object === '{}' ? other : `${object.slice(0, -1)},${other.slice(1)}`
}
