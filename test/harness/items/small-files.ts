/** Three events as rows of a small file, and the ways in which tests write it. */

export const HEADER = ['occurred_at', 'account_id', 'event_type', 'ref_id']
export const ROWS = [
  ['2026-03-01 12:00:00', 'ada', 'view', 'lamp'],
  ['2026-03-01 12:00:01', 'ben', 'view', 'desk'],
  ['2026-03-01 12:00:02', 'cleo', 'purchase', 'süß'],
]
export const written = (delimiter = ',', end = '\n', rows = ROWS) =>
  [HEADER, ...rows].map((row) => row.join(delimiter) + end).join('')
export const events = ROWS.map(([time, account_id, event_type, ref_id]) => ({
  occurred_at: `${time!.replace(' ', 'T')}.000Z`,
  account_id,
  event_type,
  ref_id,
}))
export const objects = ROWS.map((row) => Object.fromEntries(row.map((cell, index) => [HEADER[index]!, cell])))
export const CSV = written()
export const lines = (text: string) => text.trimEnd().split('\n')
export const utf16be = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16()
export const latin1 = (text: string) => Buffer.from(text, 'latin1')
export const changed = (index: number, line: string) => lines(CSV).with(index, line).join('\n')
