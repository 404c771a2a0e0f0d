export interface Answer {
  status: number
  body: Buffer
}

interface Head {
  status: number
  bodyStart: number
  /** Undefined for a chunked body. */
  bodyBytes: number | undefined
}

const NOTHING = Buffer.alloc(0)
const HEAD_END = '\r\n\r\n'

/** Reads the answers of a connection with one request in flight. An answer in one piece, as most are, is not copied. */
export function answerReader(onAnswer: (answer: Answer) => void): (piece: Buffer) => void {
  let held: Buffer = NOTHING
  let head: Head | undefined
  return (piece) => {
    held = held.length === 0 ? piece : Buffer.concat([held, piece])
    head ??= headOf(held)
    if (head === undefined) return
    const { status, bodyStart, bodyBytes } = head
    const body = bodyBytes === undefined ? chunkedBody(held, bodyStart) : wholeBody(held, bodyStart, bodyBytes)
    if (body === undefined) return
    held = NOTHING
    head = undefined
    onAnswer({ status, body })
  }
}

/** Status and content-length. @throws for an answer that is not HTTP/1.1. */
function headOf(held: Buffer): Head | undefined {
  const end = held.indexOf(HEAD_END)
  if (end < 0) return undefined
  const text = held.toString('latin1', 0, end)
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]
  if (status === undefined) throw new Error(`no HTTP answer: ${text.slice(0, 50)}`)
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1]
  return {
    status: Number(status),
    bodyStart: end + HEAD_END.length,
    bodyBytes: length === undefined ? undefined : Number(length),
  }
}

function wholeBody(held: Buffer, start: number, bytes: number): Buffer | undefined {
  if (held.length > start + bytes) throw new Error('more bytes than content-length')
  return held.length === start + bytes ? held.subarray(start) : undefined
}

/** The joined chunks; undefined while the last one is missing. Trailers are not read. */
function chunkedBody(held: Buffer, start: number): Buffer | undefined {
  const parts: Buffer[] = []
  for (let place = start; ;) {
    const lineEnd = held.indexOf('\r\n', place)
    if (lineEnd < 0) return undefined
    const bytes = Number.parseInt(held.toString('latin1', place, lineEnd), 16)
    if (Number.isNaN(bytes)) throw new Error('neither content-length nor chunks')
    const end = lineEnd + 2 + bytes
    if (held.length < end + 2) return undefined
    if (bytes === 0) return Buffer.concat(parts)
    parts.push(held.subarray(lineEnd + 2, end))
    place = end + 2
  }
}
