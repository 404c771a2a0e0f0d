/** e.g. 1,234 */
export function countText(count: number): string {
  return count.toLocaleString('en')
}

/** A count of what a regular noun names, e.g. 1 row and 1,234 rows. */
export function numberedText(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`
}
