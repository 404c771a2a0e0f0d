import { z } from 'zod'
import { Config } from '../../main/config/config.ts'

const HEAD = `# Configuration

Every setting is an environment variable. Settings are read once, at the start, which fails with every wrong setting and what it
must be. Where there is no default, the meaning says what happens without the setting.

\`npm run docs\` writes this page from \`src/main/config\`.
`

const TABLE_HEAD = '| variable | meaning | unit | default | allowed |\n| --- | --- | --- | --- | --- |'

interface Setting {
  group: string
  description?: string
  default?: string | number
  unit?: string
  minimum?: number
  maximum?: number
  enum?: string[]
}

/** The reference of all settings as Markdown, not yet formatted. */
export function configurationReference(): string {
  const { properties } = z.toJSONSchema(Config, { io: 'input' })
  const settings = Object.entries(properties as unknown as Record<string, Setting>)
  const sections = Array.from(
    Map.groupBy(settings, ([, { group }]) => group),
    ([group, members]) => `## ${group}\n\n${TABLE_HEAD}\n${members.map(rowOf).join('\n')}\n`,
  )
  return [HEAD, ...sections].join('\n')
}

function rowOf([name, setting]: [string, Setting]): string {
  const { description = '', default: byDefault, unit = '' } = setting
  const shown = byDefault === undefined ? '' : `\`${byDefault}\``
  return `| \`${name}\` | ${description.replaceAll('|', String.raw`\|`)} | ${unit} | ${shown} | ${allowedOf(setting)} |`
}

/** The bounds of a number, or the values of an enum. */
function allowedOf({ enum: names, minimum, maximum = Number.MAX_SAFE_INTEGER }: Setting): string {
  if (names !== undefined) return names.map((name) => `\`${name}\``).join(', ')
  if (minimum === undefined) return ''
  return maximum < Number.MAX_SAFE_INTEGER ? `${minimum} to ${maximum}` : `from ${minimum}`
}
