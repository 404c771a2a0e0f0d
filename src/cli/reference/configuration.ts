import { z } from 'zod'
import { Config } from '../../main/config/config.ts'
import { code, pageOf, tableOf } from './markdown.ts'

const INTRO = `Every setting is an environment variable. Settings are read once, at the start, which fails with every wrong setting and what it
must be. Where there is no default, the meaning says what happens without the setting.`

interface Setting {
  group: string
  description?: string
  default?: string | number
  unit?: string
  minimum?: number
  maximum?: number
  enum?: string[]
}

/** All settings by group. */
export function configurationPage(): string {
  const { properties } = z.toJSONSchema(Config, { io: 'input' })
  const settings = Object.entries(properties as unknown as Record<string, Setting>)
  const groups = Map.groupBy(settings, ([, { group }]) => group)
  return pageOf({
    title: 'Configuration',
    intro: INTRO,
    source: 'src/main/config',
    sections: [...groups].flatMap(([group, members]) => [
      `## ${group}`,
      tableOf(['variable', 'meaning', 'unit', 'default', 'allowed'], members.map(rowOf)),
    ]),
  })
}

function rowOf([name, setting]: [string, Setting]): string[] {
  const { description = '', default: byDefault, unit = '' } = setting
  return [code(name), description, unit, byDefault === undefined ? '' : code(byDefault), allowedOf(setting)]
}

/** The bounds of a number, or the values of an enum. */
function allowedOf({ enum: names, minimum, maximum = Number.MAX_SAFE_INTEGER }: Setting): string {
  if (names !== undefined) return names.map(code).join(', ')
  if (minimum === undefined) return ''
  return maximum < Number.MAX_SAFE_INTEGER ? `${minimum} to ${maximum}` : `from ${minimum}`
}
