/** Orders texts by their UTF-8 bytes, as the collation C of PostgreSQL does. `<` orders UTF-16 units, in which 😀 comes before ｡. */
export function compareBytes(one: string, other: string): number {
  const length = Math.min(one.length, other.length)
  for (let at = 0; at < length; at++) {
    const [unit, otherUnit] = [one.charCodeAt(at), other.charCodeAt(at)]
    if (unit !== otherUnit) return placeOf(unit) - placeOf(otherUnit)
  }
  return one.length - other.length
}

/** Halves of surrogate pairs stand for characters beyond U+FFFF, so they come last. */
function placeOf(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit
}
