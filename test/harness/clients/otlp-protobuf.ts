import type { ReceivedSpan } from './trace-receiver.ts'

/** A field of a message: its number, and its bytes or its number. */
interface Field {
  number: number
  bytes: Buffer
  value: bigint
}

const NOTHING = Buffer.alloc(0)

/** Reads the few fields of an ExportTraceServiceRequest that tests look at; opentelemetry/proto/trace/v1 has their numbers. */
export function decodeTraces(body: Buffer): ReceivedSpan[] {
  return messages(body, 1).flatMap((resourceSpans) => {
    const service = messages(resourceSpans, 1).map((resource) => attributesOf(messages(resource, 1))['service.name'])[0]
    return messages(resourceSpans, 2).flatMap((scopeSpans) =>
      messages(scopeSpans, 2).map((span) => spanOf(String(service), fieldsOf(span))),
    )
  })
}

function spanOf(service: string, fields: readonly Field[]): ReceivedSpan {
  const first = (number: number) => fields.find((field) => field.number === number)
  const all = (number: number) => fields.filter((field) => field.number === number).map((field) => field.bytes)
  const hex = (number: number) => first(number)?.bytes.toString('hex') ?? ''
  const milliseconds = (number: number) => Number(first(number)?.value ?? 0n) / 1e6
  const status = fieldsOf(first(15)?.bytes ?? NOTHING).find((field) => field.number === 3)
  return {
    traceId: hex(1),
    spanId: hex(2),
    parentSpanId: hex(4),
    name: first(5)?.bytes.toString() ?? '',
    service,
    startMs: milliseconds(7),
    endMs: milliseconds(8),
    attributes: attributesOf(all(9)),
    links: all(13).map((link) => ({
      traceId: messages(link, 1)[0]!.toString('hex'),
      spanId: messages(link, 2)[0]!.toString('hex'),
    })),
    isError: status?.value === 2n,
  }
}

function attributesOf(list: readonly Buffer[]): ReceivedSpan['attributes'] {
  return Object.fromEntries(
    list.map((attribute) => {
      const [name = NOTHING] = messages(attribute, 1)
      const [value = NOTHING] = messages(attribute, 2)
      const [kind] = fieldsOf(value)
      if (kind === undefined) return [name.toString(), '']
      return [name.toString(), kind.number === 1 ? kind.bytes.toString() : Number(kind.value)]
    }),
  )
}

/** The bytes of every field with this number. */
function messages(body: Buffer, number: number): Buffer[] {
  return fieldsOf(body)
    .filter((field) => field.number === number)
    .map((field) => field.bytes)
}

function fieldsOf(body: Buffer): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = body[at++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < body.length) {
    const tag = Number(varint())
    const [number, kind] = [tag >> 3, tag & 7]
    if (kind === 0) fields.push({ number, bytes: NOTHING, value: varint() })
    else {
      const length = kind === 1 ? 8 : kind === 5 ? 4 : Number(varint())
      const bytes = body.subarray(at, at + length)
      at += length
      fields.push({ number, bytes, value: kind === 1 ? bytes.readBigUInt64LE() : 0n })
    }
  }
  return fields
}
