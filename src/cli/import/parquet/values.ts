import { isUtf8 } from 'node:buffer'
import type { SchemaElement, SchemaTree } from 'hyparquet'
import { isListLike, isMapLike } from 'hyparquet/src/schema.js'

/** Converts a value of a column to a value of JSON. */
type Convert = (value: unknown) => unknown

/** Units of times, as parts of a second. */
const PARTS = { MILLIS: 1_000n, MICROS: 1_000_000n, NANOS: 1_000_000_000n }
type TimeUnit = keyof typeof PARTS
const DAY_SECONDS = 86_400n
/** The digits that every double keeps. */
const EXACT_DIGITS_MAX = 15
/** The digits that tell apart all numbers of 32 bits. */
const FLOAT_DIGITS_MAX = 9

/**
 * Converts the values of a node of a schema, and of the nodes inside of it, as programs write them to JSON: lists and objects, and
 * texts for times, in which no digit is lost because rows are told apart by them.
 */
export function converterOf(node: SchemaTree): Convert {
  const convert = withoutRepetition(node)
  if (node.element.repetition_type !== 'REPEATED') return convert
  return (value) => (Array.isArray(value) ? value.map(convert) : convert(value))
}

/** A text, or the digits of bytes that are none: different bytes must not become the same text. */
export function textOfBytes(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
  return text.includes('\uFFFD') && !isUtf8(bytes) ? hexOf(bytes) : text
}

function withoutRepetition(node: SchemaTree): Convert {
  const { children, element } = node
  if (children.length === 0) return present(leafConverter(element))
  if (element.logical_type?.type === 'VARIANT') return jsonOf
  if (isListLike(node)) {
    const inner = children[0]!.children.length === 1 ? children[0]!.children[0]! : children[0]!
    const convert = withoutRepetition(inner)
    return present((list) => (list as unknown[]).map(convert))
  }
  if (isMapLike(node)) return ofEntries(() => withoutRepetition(children[0]!.children[1]!))
  const converters = new Map(children.map((child) => [child.element.name, converterOf(child)]))
  return ofEntries((name) => converters.get(name)!)
}

function ofEntries(converterFor: (name: string) => Convert): Convert {
  return present((object) =>
    Object.fromEntries(Object.entries(object as object).map(([name, value]) => [name, converterFor(name)(value)])),
  )
}

function present(convert: Convert): Convert {
  return (value) => (value === null || value === undefined ? null : convert(value))
}

function leafConverter({ type, converted_type: converted, logical_type: logical, scale }: SchemaElement): Convert {
  if (logical?.type === 'DECIMAL') return (value) => decimalOf(value, logical.scale)
  if (converted === 'DECIMAL') return (value) => decimalOf(value, scale ?? 0)
  if (logical?.type === 'TIMESTAMP') return (value) => timestampOf(value, logical.unit, logical.isAdjustedToUTC)
  if (converted === 'TIMESTAMP_MILLIS') return (value) => timestampOf(value, 'MILLIS', true)
  if (converted === 'TIMESTAMP_MICROS') return (value) => timestampOf(value, 'MICROS', true)
  if (type === 'INT96') return (value) => timestampOf(value, 'NANOS', true)
  if (converted === 'DATE' || logical?.type === 'DATE') return dateOf
  if (logical?.type === 'TIME') return (value) => clockOf(value, logical.unit)
  if (converted === 'TIME_MILLIS') return (value) => clockOf(value, 'MILLIS')
  if (converted === 'TIME_MICROS') return (value) => clockOf(value, 'MICROS')
  return type === 'FLOAT' ? (value) => jsonOf(shortest(value as number)) : jsonOf
}

/** Whole numbers beyond 2^53 are texts, as in JSON lines. Programs write a missing number as NaN. */
function jsonOf(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (typeof value === 'number') return Number.isNaN(value) ? null : Number.isFinite(value) ? value : String(value)
  if (value === undefined) return null
  if (value instanceof Uint8Array) return hexOf(value)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (Array.isArray(value)) return value.map(jsonOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, jsonOf(inner)]))
}

function hexOf(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`
}

/** 19.9 for 1990 with two decimals; a text when a double does not have all digits. */
function decimalOf(value: unknown, scale: number): unknown {
  const unscaled =
    value instanceof Uint8Array ? BigInt.asIntN(8 * value.length, bigEndian(value)) : BigInt(value as number | bigint)
  const sign = unscaled < 0n ? '-' : ''
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const text = `${sign}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`
  return digits.length <= EXACT_DIGITS_MAX ? Number(text) : text
}

function bigEndian(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`)
}

/** `2026-03-01T12:00:00.000000Z`, without the Z when the time is that of a clock in an unknown zone. */
function timestampOf(value: unknown, unit: TimeUnit, isUtc: boolean): string {
  const parts = PARTS[unit]
  const time = BigInt(value as number | bigint)
  const rest = ((time % parts) + parts) % parts
  const date = new Date(Number((time - rest) / parts) * 1_000)
  if (Number.isNaN(date.getTime())) return String(time)
  return `${date.toISOString().slice(0, -'.000Z'.length)}.${fractionOf(rest, parts)}${isUtc ? 'Z' : ''}`
}

function dateOf(value: unknown): string {
  const date = new Date(Number(value) * Number(DAY_SECONDS) * 1_000)
  return Number.isNaN(date.getTime()) ? String(value) : date.toISOString().slice(0, -'T00:00:00.000Z'.length)
}

function clockOf(value: unknown, unit: TimeUnit): string {
  const text = timestampOf(value, unit, false)
  return text.slice(text.indexOf('T') + 1)
}

function fractionOf(rest: bigint, parts: bigint): string {
  return String(rest).padStart(String(parts).length - 1, '0')
}

/** The shortest decimal number that is the same number of 32 bits: 0.1 and not 0.10000000149011612. */
function shortest(value: number): number {
  for (let digits = 1; digits < FLOAT_DIGITS_MAX; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}
