/** Left parts of a cell, in eighths. */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']
const AXIS = '│'

/** Values as bars of one scale, `columns` wide. Values below 0 have their bars to the left of an axis. */
export function barsOf(values: readonly number[], columns: number): string[] {
  const most = Math.max(0, ...values)
  const least = Math.min(0, ...values)
  if (least === 0) return values.map((value) => rightBar(value, most / columns))
  const left = Math.min(columns - 2, Math.max(1, Math.round(((columns - 1) * least) / (least - most))))
  const cell = Math.max(-least / left, most / (columns - 1 - left))
  return values.map((value) => {
    const below = value < 0 ? leftBar(-value, cell) : ''
    return `${below.padStart(left)}${AXIS}${value > 0 ? rightBar(value, cell) : ''}`
  })
}

/** A bar to the right; a value above 0 has at least an eighth of a cell. */
function rightBar(value: number, cell: number): string {
  if (value === 0) return ''
  const eighths = Math.max(1, Math.round((value / cell) * 8))
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!
}

/** A bar to the left, in halves of a cell and one eighth: Unicode has no other blocks that start at the right. */
function leftBar(value: number, cell: number): string {
  const halves = Math.round((value / cell) * 2)
  if (halves === 0) return '▕'
  return (halves % 2 === 1 ? '▐' : '') + '█'.repeat(Math.floor(halves / 2))
}
