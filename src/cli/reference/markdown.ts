/** A page of documentation that `npm run docs` writes from the code. */
export interface Page {
  title: string
  /** Two sentences. */
  intro: string
  /** The file or folder that the page is made of. */
  source: string
  sections: readonly string[]
}

/** The page as Markdown, not yet formatted. */
export function pageOf({ title, intro, source, sections }: Page): string {
  return [`# ${title}`, intro, `\`npm run docs\` writes this page from \`${source}\`.`, ...sections].join('\n\n') + '\n'
}

/** A table; the cells are Markdown. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows.map((row) => row.map(cellOf))]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Text in a typewriter face. */
export function code(text: string | number): string {
  return `\`${text}\``
}

/** A plain text that Markdown must not read as HTML. */
export function plain(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('*', String.raw`\*`)
}

function cellOf(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')
}
