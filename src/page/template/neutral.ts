/** Between groups of three digits, in the form that page.js replaces by that of the browser. */
const NARROW_SPACE = ' '

/** A number as every reader understands it, with a fixed number of decimals. */
export function neutral(value: number, digits: number): string {
  // What rounds to 0 has no sign.
  const [whole = '', decimals] = value
    .toFixed(digits)
    .replace(/^-(?=[0.]*$)/, '')
    .split('.')
  const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, NARROW_SPACE)
  return decimals === undefined ? grouped : `${grouped}.${decimals}`
}
