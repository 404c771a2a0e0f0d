import { expect } from 'vitest'

export interface Block {
  page: string
  line: number
  language: string
  text: string
}

const BLOCK = /^```(\w*)\n(.*?)^```$/gms

/** The fenced blocks of a page's Markdown, in order. */
export function blocksOf(page: string, markdown: string): Block[] {
  return [...markdown.matchAll(BLOCK)].map(({ 1: language, 2: text, index }) => ({
    page,
    line: markdown.slice(0, index).split('\n').length,
    language: language!,
    text: text!.trimEnd(),
  }))
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const DECIMALS = 3

/** The matcher for a JSON example. Times and invocation ids need only their form, and decayed scores are compared to 3 decimals. */
export function like(example: unknown): unknown {
  if (Array.isArray(example)) return example.map(like)
  if (typeof example === 'object' && example !== null)
    return Object.fromEntries(Object.entries(example).map(([name, value]) => [name, like(value)]))
  if (typeof example === 'number' && !Number.isInteger(example)) return expect.closeTo(example, DECIMALS)
  if (typeof example !== 'string') return example
  if (TIME.test(example)) return expect.stringMatching(TIME)
  return example.startsWith('inv_') ? expect.stringMatching(/^inv_\w+$/) : example
}
