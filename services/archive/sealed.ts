import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { ArchivedRow } from '../../src/store/archive/page.ts'
import type { ShopperKey } from '../../src/store/archive/shopper-key.ts'
import type { RestoredRow } from '../../src/store/archive/restored-month.ts'

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** The archived row as a line of JSON: the text of PostgreSQL with the personal columns at its end, encrypted when the row is of a shopper. */
export function lineOf({ line, personal, sealingKey }: ArchivedRow): string {
  if (personal === null) return line
  const added = sealingKey === null ? `"personal":${JSON.stringify(personal)}` : `"sealed":"${seal(personal, sealingKey)}"`
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
const NAMES =
  /^\{"(account)":(?:null|"([0-9a-f]{32})"),"(session)":(?:null|"([0-9a-f]{32})"),|^\{"(entity)":(?:null|"([0-9a-f]{32})"),/
const COLUMNS: Readonly<Record<string, string>> = { account: 'account_id', session: 'session_id', entity: 'entity_id' }
/** In a text of JSON a quotation mark has a backslash before it, so these are no parts of one. */
const SEALED = /,"sealed":"([\w-]+)"\}$/
const PERSONAL = /,"personal":("(?:[^"\\]|\\.)*")\}$/

/** A shopper that a line names, by its pseudonym. */
interface Named {
  column: string
  pseudonym: string
}

/** @throws for a line that is no archived row. */
export function namesIn(line: string): Named[] {
  const match = NAMES.exec(line)
  if (match === null) throw new Error('a line is no archived row')
  const [, ...parts] = match
  return [0, 2, 4].flatMap((n) => (parts[n + 1] === undefined ? [] : [{ column: COLUMNS[parts[n]!]!, pseudonym: parts[n + 1]! }]))
}

/**
 * A line as it is restored. A shopper without a key was erased: its row has a pseudonym of an erasure, and is without the personal columns of
 * the shopper. A session of an erased account that was not merged into it goes too, as in the log.
 */
export function restoredRowOf(line: string, keys: ReadonlyMap<string, ShopperKey>): RestoredRow {
  const names = namesIn(line)
  const [owner] = names
  const ownerKey = owner && keys.get(owner.pseudonym)
  const ids: Record<string, string> = {}
  for (const { column, pseudonym } of names) {
    const key = keys.get(pseudonym)
    if (key === undefined) ids[column] = `erased-${pseudonym}`
    else if (column === owner!.column || ownerKey !== undefined) ids[column] = idOf(key)
  }
  return { line, over: joined(JSON.stringify(ids), personalOf(line, ownerKey)) }
}

const idOf = ({ shopperId }: ShopperKey) => shopperId.slice(shopperId.indexOf(':') + 1)

/** The personal columns as a JSON object; undefined without any, and when their key is gone. */
function personalOf(line: string, key: ShopperKey | undefined): string | undefined {
  const sealed = SEALED.exec(line)?.[1]
  if (sealed !== undefined) return key && unseal(sealed, key.sealingKey)
  const plain = PERSONAL.exec(line)?.[1]
  return plain === undefined ? undefined : (JSON.parse(plain) as string)
}

function joined(object: string, other: string | undefined): string {
  if (other === undefined) return object
  return object === '{}' ? other : `${object.slice(0, -1)},${other.slice(1)}`
}
