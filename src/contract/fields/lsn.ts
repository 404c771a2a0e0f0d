/** A position in PostgreSQL's write-ahead log, as a number: everything that was committed before it has a smaller one. */
export type Lsn = bigint

const LSN = /^([0-9a-f]{1,8})\/([0-9a-f]{1,8})$/i

/** Reads PostgreSQL's form of a position, such as 0/16B3748; undefined for any other text. */
export function lsnOf(text: string): Lsn | undefined {
  const [, high, low] = LSN.exec(text) ?? []
  return high === undefined || low === undefined ? undefined : (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}

export function lsnText(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase()
}
