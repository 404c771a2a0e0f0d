import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

/*
 * `npm run words -- [--lines] [folder …]`: how often comments, test titles, messages and pages use words that make a sentence hard
 * to read, per 1,000 words. Well-known codebases stay below 0.5 for each list. It is a mirror for writers, and fails nothing.
 */

const CHECKOUT = join(import.meta.dirname, '..', '..')

/** Each list stands for a habit: a subject that is not in the code, or a word order of another language. */
const LISTS: Record<string, RegExp> = {
  'who as a subject':
    /(?<!\b(?:people|somebody|person|anyone|everyone|callers?|shoppers?|users?|operators?) )\b(?:who(?!le)|whoever|whom|whose)\b/gi,
  'one that, what is':
    /\b(?:one|ones|those|that) (?:that|which|of)\b|(?<=^|[.;:,(] ?)what (?:is|was|has|it|comes|came|goes|of)\b|\b(?:all|everything) that\b/gi,
  'nobody, somebody': /\b(?:nobody|somebody|everybody|anybody)\b/gi,
  'beside, meanwhile, anew': /\b(?:beside|meanwhile|anew|at once|thereof|herein|by then|likewise)\b/gi,
  he: /\b(?:he|him|his|himself)\b/gi,
}

interface Text {
  where: string
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
report('pages', files.filter((file) => file.endsWith('.md') && !file.includes('CHANGELOG')).flatMap(proseOf))

function report(name: string, texts: readonly Text[]): void {
  const words = texts.reduce((sum, { text }) => sum + (text.match(/[\p{L}\p{N}'’_-]+/gu)?.length ?? 0), 0)
  console.log(`\n${name}: ${words.toLocaleString('en')} words`)
  if (words === 0) return
  for (const [list, pattern] of Object.entries(LISTS)) {
    const hits = texts.flatMap(({ where, text }) =>
      [...text.matchAll(pattern)].map(({ 0: word, index }) => ({ where, text, word, index })),
    )
    console.log(`  ${list}: ${((hits.length / words) * 1_000).toFixed(2)} per 1,000 (${hits.length})`)
    if (values.lines) for (const hit of hits) console.log(`    ${hit.where}  …${around(hit.text, hit.index)}…`)
  }
}

function around(text: string, index: number): string {
  return text
    .slice(Math.max(0, index - 40), index + 60)
    .replaceAll(/\s+/g, ' ')
    .trim()
}

function textOf(file: string): string {
  return readFileSync(join(CHECKOUT, file), 'utf8')
}

function placed(file: string, text: string, pattern: RegExp): Text[] {
  return [...text.matchAll(pattern)].map((match) => ({
    where: `${file}:${text.slice(0, match.index).split('\n').length}`,
    text: match.slice(1).find((group) => group !== undefined) ?? '',
  }))
}

function commentsOf(file: string): Text[] {
  return placed(file, textOf(file), /\/\*\*?([\s\S]*?)\*\/|(?<=^|\s)\/\/ (.*)$/gm).map(({ where, text }) => ({
    where,
    text: text.replaceAll(/^\s*\* ?/gm, ''),
  }))
}

function titlesOf(file: string): Text[] {
  return placed(
    file,
    textOf(file),
    /(?:^|\s)(?:test|describe|it)(?:\.\w+(?:\([\s\S]*?\))?)?\(\s*(?:'([^']+)'|"([^"]+)"|`([^`]+)`)|^\]\)\('([^']+)'/gm,
  )
}

/** Strings of three words or more: messages, descriptions and help texts. */
function messagesOf(file: string): Text[] {
  const code = textOf(file).replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, (comment) => comment.replaceAll(/[^\n]/g, ' '))
  return placed(file, code, /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`([^`\n]*)`/g).filter(
    ({ text }) => text.split(' ').length >= 3 && !/^\s*(select|insert|update|delete|\()/.test(text),
  )
}

/** Paragraphs of a page without its code. */
function proseOf(file: string): Text[] {
  const text = textOf(file).replaceAll(/```[\s\S]*?```|`[^`]*`/g, (code) => code.replaceAll(/[^\n]/g, ' '))
  return placed(file, text, /^(.*\w.*)$/gm)
}
