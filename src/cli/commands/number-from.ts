import { InvalidArgumentError } from 'commander'

/** Reads an option that is a number from `min` to `max`. */
export function numberFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (text.trim() !== '' && number >= min && number <= max) return number
    throw new InvalidArgumentError(`It is a number from ${min} to ${max}.`)
  }
}
