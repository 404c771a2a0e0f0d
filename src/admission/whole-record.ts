import { hasFields } from './event-identity.ts'
import { jsonOfRecord, type KafkaRecord } from './kafka-record.ts'
import { type Privacy, withPrivacy } from './privacy.ts'

/** Lists and objects around an interaction: a list in `interactions` in `data`. */
const DEPTH_MAX = 3

/**
 * A record of interactions that is kept as a whole: without what privacy keeps out of the database, and with the shoppers of its items, for
 * persons who were erased. Of a value that is no JSON nothing is kept then.
 */
export function wholeRecord(record: KafkaRecord, privacy: Privacy): { record: KafkaRecord; items: readonly unknown[] } {
  const read = jsonOfRecord(record)
  if ('rejection' in read) return { record: unreadRecord(record, privacy), items: [] }
  return { record: keepsAll(privacy) ? record : strippedRecord(record, read.json, privacy), items: shoppersIn(read.json) }
}

/** The same of a record whose value is not read: nothing tells what is in it. */
export function unreadRecord(record: KafkaRecord, privacy: Privacy): KafkaRecord {
  return keepsAll(privacy) ? record : { ...record, value: null }
}

function keepsAll({ ipAddress, userAgent }: Privacy): boolean {
  return ipAddress === 'keep' && userAgent === 'keep'
}

/** Each shopper once, because a record can have a million items. */
function shoppersIn(json: unknown): readonly unknown[] {
  const data = hasFields(json) && json['data'] !== undefined ? json['data'] : json
  const list = hasFields(data) ? data['interactions'] : data
  const shoppers = new Map<string, unknown>()
  for (const item of Array.isArray(list) ? (list as unknown[]) : [data]) {
    if (!hasFields(item)) continue
    const { account_id, session_id } = item
    const ids = [account_id, session_id].map((id) => (typeof id === 'string' || typeof id === 'number' ? String(id) : null))
    shoppers.set(JSON.stringify(ids), { account_id, session_id })
  }
  return [...shoppers.values()]
}

function strippedRecord(record: KafkaRecord, json: unknown, privacy: Privacy): KafkaRecord {
  try {
    const text = JSON.stringify(stripped(json, privacy))
    return text === JSON.stringify(json) ? record : { ...record, value: Buffer.from(text) }
  } catch {
    // JSON can be read that is too deep to be written.
    return { ...record, value: null }
  }
}

function stripped(json: unknown, privacy: Privacy, depth = 0): unknown {
  if (depth > DEPTH_MAX) return json
  if (Array.isArray(json)) return json.map((each) => stripped(each, privacy, depth + 1))
  const item = withPrivacy(json, privacy)
  if (!hasFields(item)) return item
  const around = ['data', 'interactions'].filter((name) => Object.hasOwn(item, name))
  return { ...item, ...Object.fromEntries(around.map((name) => [name, stripped(item[name], privacy, depth + 1)])) }
}
