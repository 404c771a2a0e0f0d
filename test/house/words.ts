import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

/*
 * `npm run words -- [--lines] [folder …]`: how often comments, test titles, messages and pages use words that make a sentence hard
 * to read, per 1,000 words. Well-known codebases stay below 0.5 for each list. It informs writers, and fails nothing.
 */

const CHECKOUT = join(import.meta.dirname, '..', '..')

/** Nouns of people, e.g. `caller` or `operators`: a relative clause after one of them is plain English. */
const PEOPLE =
  /(?!after|other|never|either|neither|rather|whether|under|later|earlier|however|over)\w{2,}(?:er|or|ee)s?|people|person|anyone|everyone/

/** Each list is a habit: a subject that is not in the code, or a word order of another language. A space stands for any white space. */
const LISTS = {
  'who as a subject': `(?<!\\b(?:${PEOPLE.source}),? )\\b(?:who|whom)\\b|\\bwhoever\\b`,
  'one that, what is':
    '\\b(?:ones?|those|that) (?:that|which)\\b|\\ball that\\b|(?<=^|[.;:,(] )(?:(?:those|that) of|what (?:is|was|has|it|comes|came|goes|of))\\b',
  'nobody, somebody': '\\b(?:nobody|somebody|everybody|anybody)\\b',
  'beside, meanwhile, anew': '\\b(?:beside|meanwhile|anew|at once|thereof|herein|by then|likewise)\\b',
  he: '\\b(?:he|him|his|himself)\\b',
}
const PATTERNS = Object.entries(LISTS).map(([name, source]) => [name, new RegExp(source.replaceAll(' ', '\\s'), 'gi')] as const)

interface Text {
  file: string
  line: number
  text: string
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { lines: { type: 'boolean', default: false } } })
const files = execFileSync('git', ['ls-files', ...positionals], { cwd: CHECKOUT, encoding: 'utf8' })
  .split('\n')
  .filter(Boolean)
const sources = files.filter((file) => /\.(ts|js)$/.test(file))
report('comments', sources.flatMap(commentsOf))
report('test titles', sources.filter((file) => file.startsWith('test/')).flatMap(titlesOf))
report('messages', sources.filter((file) => !file.startsWith('test/')).flatMap(messagesOf))
report('pages', files.filter((file) => file.endsWith('.md') && !file.includes('CHANGELOG')).flatMap(paragraphsOf))

function report(name: string, texts: readonly Text[]): void {
  const words = texts.reduce((sum, { text }) => sum + (text.match(/[\p{L}\p{N}'’_-]+/gu)?.length ?? 0), 0)
  console.log(`\n${name}: ${words.toLocaleString('en')} words`)
  if (words === 0) return
  for (const [list, pattern] of PATTERNS) {
    const hits = texts.flatMap((text) => [...text.text.matchAll(pattern)].map(({ index }) => hitAt(text, index)))
    console.log(`  ${list}: ${((hits.length / words) * 1_000).toFixed(2)} per 1,000 (${hits.length})`)
    if (values.lines) for (const hit of hits) console.log(`    ${hit}`)
  }
}

function hitAt({ file, line, text }: Text, index: number): string {
  const around = text.slice(Math.max(0, index - 40), index + 60).replaceAll(/\s+/g, ' ')
  return `${file}:${line + linesBefore(text, index)}  …${around.trim()}…`
}

function linesBefore(text: string, index: number): number {
  return text.slice(0, index).split('\n').length - 1
}

function codeOf(file: string): string {
  return readFileSync(join(CHECKOUT, file), 'utf8')
}

/** The first group of every match, with its line. */
function textsOf(file: string, text: string, pattern: RegExp): Text[] {
  return [...text.matchAll(pattern)].map((match) => {
    const group = match.slice(1).find((value) => value !== undefined) ?? ''
    return { file, line: 1 + linesBefore(text, match.index + match[0].indexOf(group)), text: group }
  })
}

function commentsOf(file: string): Text[] {
  return textsOf(file, codeOf(file), /\/\*\*?([\s\S]*?)\*\/|(?<=^|\s)\/\/ (.*)$/gm).map((comment) => ({
    ...comment,
    text: comment.text.replaceAll(/^[^\S\n]*\* ?/gm, ''),
  }))
}

/** The first string of `test(…)`, and the string after the table of `test.each(…)(…)`, on the same line or the next. */
function titlesOf(file: string): Text[] {
  const string = /(?:'((?:[^'\\\n]|\\.)+)'|"((?:[^"\\\n]|\\.)+)"|`([^`]+)`)/.source
  const call = /\b(?:test|describe|it)(?:\.(?!(?:each|for)\b)\w+(?:\([^()\n]*\))?)*\(\s*/.source
  const table = /(?:^\s*(?:\](?: as const)?)?\)|\b(?:test|describe|it)\.(?:each|for)(?:<[^(]*>)?\([^\n]*\))\(\s*/.source
  return textsOf(file, codeOf(file), new RegExp(`(?:${call}|${table})${string}`, 'gm'))
}

/** Strings of three words or more: messages, descriptions and help texts. */
function messagesOf(file: string): Text[] {
  const code = codeOf(file).replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, blank)
  return textsOf(file, code, /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`([^`\n]*)`/g).filter(
    ({ text }) => text.split(' ').length >= 3 && !/^\s*(select|insert|update|delete|\()/.test(text),
  )
}

/** Paragraphs of a page without its code. */
function paragraphsOf(file: string): Text[] {
  return textsOf(file, codeOf(file).replaceAll(/```[\s\S]*?```|`[^`]*`/g, blank), /((?:^.*\w.*$\n?)+)/gm)
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, ' ')
}
