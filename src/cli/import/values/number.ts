/** The character before the fraction of a number. */
export type DecimalMark = '.' | ','

/** Numbers with or without groups of thousands; after a point as decimal mark groups may have two digits, as in India. */
const WRITTEN: Readonly<Record<DecimalMark, RegExp>> = {
  ',': /^([+-]?)(\d{1,3}(?:([.' \u00A0\u2009\u202F’])(?:\d{3}\3)*\d{3})?|\d+)(?:,(\d+))?$/,
  '.': /^([+-]?)(\d{1,3}(?:([,' \u00A0\u2009\u202F’])(?:\d{2,3}\3)*\d{3})?|\d+)(?:\.(\d+))?$/,
}

/** `1.234,50` with a decimal comma as `1234.50`; undefined for a text that is no such number. */
export function plainNumber(text: string, mark: DecimalMark): string | undefined {
  const [, sign, whole, , fraction] = WRITTEN[mark].exec(text.trim()) ?? []
  if (whole === undefined) return undefined
  return `${sign === '-' ? sign : ''}${whole.replaceAll(/\D/g, '')}${fraction === undefined ? '' : `.${fraction}`}`
}

/** A cell of a condition as a number; NaN for an empty cell, which `Number` would make 0. */
export function numberOf(text: string, mark?: DecimalMark): number {
  if (text.trim() === '') return Number.NaN
  return Number(mark === undefined ? text : (plainNumber(text, mark) ?? Number.NaN))
}
