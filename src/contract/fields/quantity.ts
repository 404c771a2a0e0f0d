/** How many parts of an item a quantity can tell apart: three places, e.g. 1.255 kg. */
const PARTS = 1_000
const PARTS_BIG = BigInt(PARTS)
const PARTS_HALF = BigInt(PARTS / 2)

/** A quantity in thousandths of an item. */
export function thousandthsOf(quantity: number): number {
  return Math.round(quantity * PARTS)
}

/** Whether a quantity has at most three places. */
export function hasThreePlaces(quantity: number): boolean {
  return thousandthsOf(quantity) / PARTS === quantity
}

/** What thousandths of an item cost, rounded half up to a minor unit; below zero half down, so that a charge and its discount cancel out. */
export function amountOf(thousandths: number, unitPrice: number): number {
  const price = Math.abs(unitPrice)
  const isExact = Number.isSafeInteger(thousandths * price)
  const amount = isExact ? roundedUp(thousandths * price) : Number((BigInt(thousandths) * BigInt(price) + PARTS_HALF) / PARTS_BIG)
  return unitPrice < 0 ? -amount : amount
}

/** Takes the remainder first, because a quotient near 2^53 is not exact. */
function roundedUp(parts: number): number {
  const rest = parts % PARTS
  return (parts - rest) / PARTS + Number(2 * rest >= PARTS)
}

/** How many items a quantity counts as: a fraction, e.g. 1.5 kg, is one item however much of it there is. */
export function countOf(thousandths: number, isFraction: boolean): number {
  if (isFraction) return Number(thousandths > 0)
  return Math.ceil(thousandths / PARTS)
}

export function isFraction(thousandths: number): boolean {
  return thousandths % PARTS !== 0
}
